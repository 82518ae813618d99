package mini;

import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.function.Consumer;

/** What is remembered of one customer, and what an event does to it. Instants are microseconds. */
public final class Customer {
  private static final String[] SEGMENTS = {"first_time", "repeat", "vip", "cart_open"};
  private static final long VIP_SPEND = 500_00;
  private static final int BYTES = 45;

  public int orders;
  public long spend;
  public long lastOrder;
  public boolean cartOpen;
  public long cartAt;
  public int contacts;
  public long lastSeen;
  public int memberships;

  /** Apply an event, and hand on the change of each segment that it makes. */
  public void apply(String type, String id, String customer, String at, long total, Consumer<Change> changed) {
    long instant = micros(at);
    lastSeen = Math.max(lastSeen, instant);
    switch (type) {
      case "order.placed" -> {
        orders++;
        spend += total;
        lastOrder = instant;
        cartOpen = false;
      }
      case "cart.item_added" -> {
        cartOpen = true;
        cartAt = instant;
      }
      case "support.contacted" -> contacts++;
      default -> {}
    }
    int now = judge();
    int flips = now ^ memberships;
    memberships = now;
    for (int bit = 0; flips != 0 && bit < SEGMENTS.length; bit++) {
      if ((flips >> bit & 1) == 1) {
        String direction = (now >> bit & 1) == 1 ? "segment.entered" : "segment.exited";
        changed.accept(new Change(direction, SEGMENTS[bit], customer, at, id, orders, spend));
      }
    }
  }

  private int judge() {
    return (orders == 1 ? 1 : 0)
        | (orders >= 2 ? 2 : 0)
        | (orders >= 3 && spend > VIP_SPEND ? 4 : 0)
        | (cartOpen ? 8 : 0);
  }

  private static long micros(String at) {
    Instant instant = Instant.parse(at);
    return instant.getEpochSecond() * 1_000_000 + instant.getNano() / 1_000;
  }

  /** As bytes, for a store that holds bytes. */
  public byte[] pack() {
    ByteBuffer to = ByteBuffer.allocate(BYTES).putInt(orders).putLong(spend).putLong(lastOrder);
    to.put((byte) (cartOpen ? 1 : 0)).putLong(cartAt).putInt(contacts).putLong(lastSeen).putInt(memberships);
    return to.array();
  }

  /** The customer that `pack` made bytes of; a new one of nothing. */
  public static Customer unpack(byte[] bytes) {
    Customer customer = new Customer();
    if (bytes != null) {
      ByteBuffer from = ByteBuffer.wrap(bytes);
      customer.orders = from.getInt();
      customer.spend = from.getLong();
      customer.lastOrder = from.getLong();
      customer.cartOpen = from.get() == 1;
      customer.cartAt = from.getLong();
      customer.contacts = from.getInt();
      customer.lastSeen = from.getLong();
      customer.memberships = from.getInt();
    }
    return customer;
  }
}
