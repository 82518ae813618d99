"""Fitting the models behind `predicted.*` by maximum likelihood. Needs the extra `fit`: numpy, scipy, matplotlib."""
