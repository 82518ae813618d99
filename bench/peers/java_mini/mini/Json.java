package mini;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.IOException;
import java.io.UncheckedIOException;

/** Jackson's readers and writers, made once. */
public final class Json {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final ObjectReader EVENTS = MAPPER.readerFor(Event.class);
  private static final ObjectWriter CHANGES = MAPPER.writerFor(Change.class);

  private Json() {}

  public static Event event(byte[] value) {
    try {
      return EVENTS.readValue(value);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  public static byte[] bytes(Change change) {
    try {
      return CHANGES.writeValueAsBytes(change);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  public static Task task(String text) {
    try {
      return MAPPER.readValue(text, Task.class);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }
}
