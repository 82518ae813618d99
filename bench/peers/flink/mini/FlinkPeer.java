package mini;

import java.nio.charset.StandardCharsets;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * The job as a Flink program on a cluster within this process: parallelism 1, customers on the heap, a checkpoint each
 * 10 s into files, at least once.
 */
public final class FlinkPeer {
  private static final long CHECKPOINT_MS = 10_000;

  private FlinkPeer() {}

  public static void main(String[] arguments) throws Exception {
    Task task = Json.task(arguments[0]);
    Configuration settings = new Configuration();
    settings.set(StateBackendOptions.STATE_BACKEND, "hashmap");
    settings.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, "file://" + task.directory());
    StreamExecutionEnvironment job = StreamExecutionEnvironment.createLocalEnvironment(1, settings);
    job.enableCheckpointing(CHECKPOINT_MS, CheckpointingMode.AT_LEAST_ONCE);
    job.getConfig().enableObjectReuse();
    job.fromSource(source(task), WatermarkStrategy.noWatermarks(), "events")
        .keyBy(happening -> happening.customer)
        .process(new Classifier(task.events()))
        .sinkTo(sink(task));
    job.execute("mini");
  }

  private static KafkaSource<Happening> source(Task task) {
    return KafkaSource.<Happening>builder()
        .setBootstrapServers(task.kafka())
        .setTopics(task.source())
        .setGroupId(task.group())
        .setStartingOffsets(OffsetsInitializer.earliest())
        .setValueOnlyDeserializer(new Happenings())
        .build();
  }

  private static KafkaSink<Change> sink(Task task) {
    String topic = task.target();
    KafkaRecordSerializationSchema<Change> messages =
        (change, context, timestamp) ->
            new ProducerRecord<>(topic, change.customerId().getBytes(StandardCharsets.UTF_8), Json.bytes(change));
    return KafkaSink.<Change>builder()
        .setBootstrapServers(task.kafka())
        .setRecordSerializer(messages)
        .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
        .build();
  }

  /** What the job needs of an event: it goes from the source's task to that of its customer. */
  public static final class Happening {
    public String type;
    public String id;
    public String customer;
    public String at;
    public long total;
  }

  private static final class Happenings extends AbstractDeserializationSchema<Happening> {
    private static final long serialVersionUID = 1L;

    @Override
    public Happening deserialize(byte[] message) {
      Event event = Json.event(message);
      Happening happening = new Happening();
      happening.type = event.type;
      happening.id = event.id;
      happening.customer = event.customerId;
      happening.at = event.occurredAt;
      happening.total = event.total;
      return happening;
    }
  }

  /** Apply an event to its customer, hand on the changes. */
  private static final class Classifier extends KeyedProcessFunction<String, Happening, Change> {
    private static final long serialVersionUID = 1L;

    private final Marks marks;
    private transient ValueState<Customer> customers;

    private Classifier(long events) {
      this.marks = new Marks(events);
    }

    @Override
    public void open(OpenContext context) {
      customers = getRuntimeContext().getState(new ValueStateDescriptor<>("customer", Customer.class));
    }

    @Override
    public void processElement(Happening event, Context context, Collector<Change> out) throws Exception {
      marks.begin();
      Customer customer = customers.value();
      if (customer == null) {
        customer = new Customer();
      }
      customer.apply(event.type, event.id, event.customer, event.at, event.total, out::collect);
      customers.update(customer);
      marks.handled();
    }
  }
}
