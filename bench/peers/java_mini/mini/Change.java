package mini;

import com.fasterxml.jackson.annotation.JsonProperty;

/** The message of one change: a customer entered or left a segment. */
public record Change(
    String type,
    String segment,
    @JsonProperty("customer_id") String customerId,
    @JsonProperty("effective_at") String effectiveAt,
    @JsonProperty("event_id") String eventId,
    int orders,
    long spend) {}
