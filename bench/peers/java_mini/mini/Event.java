package mini;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;

/** An event as it stands on the topic: the fields of all types that the log has. */
@JsonIgnoreProperties(ignoreUnknown = true)
public final class Event {
  public String id;
  public String type;

  @JsonProperty("occurred_at")
  public String occurredAt;

  @JsonProperty("customer_id")
  public String customerId;

  @JsonProperty("session_id")
  public String sessionId;

  @JsonProperty("product_id")
  public String productId;

  @JsonProperty("contact_id")
  public String contactId;

  @JsonProperty("order_id")
  public String orderId;

  public String url;
  public String category;
  public String channel;
  public String topic;
  public double sentiment;
  public long total;
  public String currency;
  public List<Item> items;

  /** A line of an order. */
  @JsonIgnoreProperties(ignoreUnknown = true)
  public static final class Item {
    @JsonProperty("product_id")
    public String productId;

    public String category;
    public int quantity;

    @JsonProperty("unit_price")
    public long unitPrice;
  }
}
