package mini;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;

/** What to do, and where: see Task in bench/peers/task.py. */
@JsonIgnoreProperties(ignoreUnknown = true)
public record Task(
    String kafka,
    String source,
    String target,
    String group,
    long events,
    String directory,
    boolean transactions,
    boolean cache,
    int linger) {}
