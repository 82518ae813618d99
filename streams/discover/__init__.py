"""Discovery: groups among customers, each as a candidate rule. Needs the extra `discover`: scikit-learn, matplotlib."""
