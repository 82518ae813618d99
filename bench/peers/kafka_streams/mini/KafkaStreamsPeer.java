package mini;

import java.util.Properties;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * The job as a Kafka Streams program: one thread, customers in RocksDB with a changelog. At least once with commits each
 * 30 s, or exactly once (v2) with a transaction each 100 ms: the library's own defaults, as is everything else.
 */
public final class KafkaStreamsPeer {
  private static final String CUSTOMERS = "customers";

  private KafkaStreamsPeer() {}

  public static void main(String[] arguments) {
    Task task = Json.task(arguments[0]);
    KafkaStreams streams = new KafkaStreams(topology(task), settings(task));
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
        });
    Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
    streams.start();
  }

  private static Properties settings(Task task) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, task.group());
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, task.kafka());
    settings.put(StreamsConfig.STATE_DIR_CONFIG, task.directory());
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    settings.put(
        StreamsConfig.PROCESSING_GUARANTEE_CONFIG,
        task.transactions() ? StreamsConfig.EXACTLY_ONCE_V2 : StreamsConfig.AT_LEAST_ONCE);
    if (task.linger() >= 0) {
      settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), task.linger());
    }
    return settings;
  }

  private static Topology topology(Task task) {
    StreamsBuilder builder = new StreamsBuilder();
    StoreBuilder<KeyValueStore<String, byte[]>> customers =
        Stores.keyValueStoreBuilder(
            Stores.persistentKeyValueStore(CUSTOMERS), Serdes.String(), Serdes.ByteArray());
    builder.addStateStore(task.cache() ? customers.withCachingEnabled() : customers.withCachingDisabled());
    Marks marks = new Marks(task.events()); // of the one thread's four tasks together
    builder.stream(task.source(), Consumed.with(Serdes.String(), Serdes.ByteArray()))
        .process(() -> new Classifier(marks), CUSTOMERS)
        .to(task.target(), Produced.with(Serdes.String(), Serdes.ByteArray()));
    return builder.build();
  }

  /** Read a customer, apply an event, write it back, hand on the changes. */
  private static final class Classifier implements Processor<String, byte[], String, byte[]> {
    private final Marks marks;
    private ProcessorContext<String, byte[]> context;
    private KeyValueStore<String, byte[]> customers;

    private Classifier(Marks marks) {
      this.marks = marks;
    }

    @Override
    public void init(ProcessorContext<String, byte[]> context) {
      this.context = context;
      this.customers = context.getStateStore(CUSTOMERS);
    }

    @Override
    public void process(Record<String, byte[]> record) {
      marks.begin();
      Event event = Json.event(record.value());
      Customer customer = Customer.unpack(customers.get(record.key()));
      customer.apply(
          event.type,
          event.id,
          event.customerId,
          event.occurredAt,
          event.total,
          change -> context.forward(record.withValue(Json.bytes(change))));
      customers.put(record.key(), customer.pack());
      marks.handled();
    }
  }
}
