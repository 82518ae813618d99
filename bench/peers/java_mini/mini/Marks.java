package mini;

import com.sun.management.OperatingSystemMXBean;
import java.io.Serializable;
import java.lang.management.ManagementFactory;
import java.time.Instant;
import java.util.Locale;

/** Tells the harness when the first event came, half of them, and all: MARK events, seconds, CPU seconds. */
public final class Marks implements Serializable {
  private static final long serialVersionUID = 1L;

  private final long events;
  private long count;

  public Marks(long events) {
    this.events = events;
  }

  /** Call before the first event is handled. */
  public void begin() {
    if (count == 0) {
      mark();
    }
  }

  /** Call after each event. */
  public void handled() {
    count++;
    if (count == events / 2 || count == events) {
      mark();
    }
  }

  private void mark() {
    Instant now = Instant.now();
    double seconds = now.getEpochSecond() + now.getNano() / 1e9;
    OperatingSystemMXBean process = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    double cpu = process.getProcessCpuTime() / 1e9;
    System.out.println(String.format(Locale.ROOT, "MARK %d %.6f %.3f", count, seconds, cpu));
  }
}
