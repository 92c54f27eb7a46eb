"""kafka_python_roundtrip.py HOST:PORT: kafka-python (Debian's 2.0.2 or newer) against a node with
governance off: topics by the admin client, records with each codec, keys, headers and null values, acks
0, 1 and all, offsets by time, configurations, deletion of records and topics. No consumer groups:
partitions are assigned."""
import sys
import time

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.admin import NewPartitions
from kafka.errors import TopicAlreadyExistsError

RECORDS = 300
START_MS = int(time.time() * 1000) - 3600 * 1000  # young enough for any retention


def check(good, what):
    if not good:
        sys.exit("FAIL " + what)


def consumer(broker):
    return KafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False, group_id=None,
                         consumer_timeout_ms=10000, auto_offset_reset="earliest")


def read(broker, tp, n, offset=0):
    c = consumer(broker)
    c.assign([tp])
    c.seek(tp, offset)
    got = []
    for record in c:
        got.append(record)
        if len(got) == n:
            break
    c.close()
    check(len(got) == n, "%d of %d records of %s came" % (len(got), n, tp.topic))
    return got


def record(i):
    key = None if i % 7 == 0 else b"key-%d" % i
    value = None if key and i % 11 == 0 else b"value %d " % i * (i % 20 + 1)
    headers = [("n", b"%d" % i)] if i % 2 else []
    return key, value, headers


def with_codec(broker, codec, acks):
    topic = "python-%s-%s-%d" % (codec, acks, time.time_ns())
    producer = KafkaProducer(bootstrap_servers=broker, acks=acks, compression_type=codec,
                             linger_ms=20, batch_size=8192)
    sent = [producer.send(topic, key=k, value=v, headers=h, partition=0)
            for k, v, h in map(record, range(RECORDS))]
    producer.flush(30)
    if acks != 0:
        offsets = [f.get(10).offset for f in sent]
        check(offsets == list(range(RECORDS)), "offsets of %s acks %s" % (codec, acks))
    producer.close()
    got = read(broker, TopicPartition(topic, 0), RECORDS)
    for i, r in enumerate(got):
        check((r.key, r.value, r.headers) == record(i) and r.offset == i,
              "record %d of %s acks %s" % (i, codec, acks))


def by_time(broker):
    topic = "python-time-%d" % time.time_ns()
    tp = TopicPartition(topic, 0)
    producer = KafkaProducer(bootstrap_servers=broker)
    for i in range(50):
        producer.send(topic, value=b"x", partition=0, timestamp_ms=START_MS + i * 1000)
        if i % 10 == 9:
            producer.flush(30)
    producer.close()
    c = consumer(broker)
    check(c.beginning_offsets([tp])[tp] == 0 and c.end_offsets([tp])[tp] == 50, "ends")
    for i in (0, 1, 17, 49):
        for shift, want in ((0, i), (-500, i), (1, i + 1)):
            found = c.offsets_for_times({tp: START_MS + i * 1000 + shift})[tp]
            if want == 50:
                check(found is None, "a time behind the last record")
            else:
                check(found.offset == want and found.timestamp == START_MS + want * 1000,
                      "offset %d by time is %s" % (want, found))
    c.close()


def administration(broker):
    topic = "python-admin-%d" % time.time_ns()
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.create_topics([NewTopic(topic, 3, 1, topic_configs={"retention.ms": "3600000"})])
    try:
        admin.create_topics([NewTopic(topic, 3, 1)])
        check(False, "a topic is created twice")
    except TopicAlreadyExistsError:
        pass
    check(topic in admin.list_topics(), "list of topics")
    described = admin.describe_topics([topic])[0]
    check(len(described["partitions"]) == 3, "number of partitions")
    admin.create_partitions({topic: NewPartitions(5)})
    until = time.monotonic() + 10
    while len(admin.describe_topics([topic])[0]["partitions"]) != 5:
        check(time.monotonic() < until, "partitions are not added")
        time.sleep(0.05)
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    text = str(admin.describe_configs([resource]))
    check("retention.ms" in text and "3600000" in text, "retention.ms is not described: " + text)
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic,
                                        configs={"retention.ms": "7200000"})])
    check("7200000" in str(admin.describe_configs([resource])), "retention.ms is not changed")
    admin.delete_topics([topic])
    until = time.monotonic() + 10
    while topic in admin.list_topics():
        check(time.monotonic() < until, "the topic is not deleted")
        time.sleep(0.05)
    admin.close()


def main():
    broker = sys.argv[1]
    for codec in (None, "gzip", "snappy", "lz4", "zstd"):
        with_codec(broker, codec, "all")
    for acks in (0, 1):
        with_codec(broker, None, acks)
    by_time(broker)
    administration(broker)
    print("kafka-python: all as it should be")


if __name__ == "__main__":
    main()
