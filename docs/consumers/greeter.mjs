// Greets new VIPs, each once. Needs Node 18 or newer: npm install kafkajs@2.2.4; node greeter.mjs
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { Kafka, logLevel } from "kafkajs";

const { KAFKA_BOOTSTRAP_SERVERS = "127.0.0.1:9092", TOPIC_PREFIX = "", STATE = "greeter.json" } = process.env;

// What was done and how far it got are one file, replaced in one step: after a crash neither is ahead of the other.
const state = existsSync(STATE) ? JSON.parse(readFileSync(STATE, "utf8")) : { sequences: {}, greeted: [] };
const save = () => {
  writeFileSync(`${STATE}.new`, JSON.stringify(state));
  renameSync(`${STATE}.new`, STATE);
};

const kafka = new Kafka({ brokers: KAFKA_BOOTSTRAP_SERVERS.split(","), logLevel: logLevel.ERROR });
const consumer = kafka.consumer({ groupId: `${TOPIC_PREFIX}greeter` });
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => consumer.disconnect());

await consumer.connect();
await consumer.subscribe({ topic: `${TOPIC_PREFIX}segment-changes`, fromBeginning: true });
await consumer.run({
  eachMessage: async ({ message }) => {
    const change = JSON.parse(message.value.toString());
    if (change.sequence <= (state.sequences[change.shard] ?? 0)) return; // delivered again
    if (change.segment === "vip" && change.type === "segment.entered") state.greeted.push(change.customer_id);
    state.sequences[change.shard] = change.sequence;
    save();
  },
});
