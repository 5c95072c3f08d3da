/*
 * Spans that OpenTelemetry's SDK makes, in the bytes that its exporters send, one batch a record.
 *
 *     java -cp JARS Spans.java BROKERS TOPIC SPANS
 *
 * Makes the topic, of six partitions. When all is on it, prints a line for each service, `SERVICE SPANS FAILED`, of the
 * spans by which a request or a message came in.
 */
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanBuilder;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import io.opentelemetry.exporter.internal.otlp.traces.TraceRequestMarshaler;
import io.opentelemetry.sdk.common.CompletableResultCode;
import io.opentelemetry.sdk.resources.Resource;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.data.SpanData;
import io.opentelemetry.sdk.trace.export.BatchSpanProcessor;
import io.opentelemetry.sdk.trace.export.SpanExporter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Spans {
    private static final String[] SERVICES = {"checkout", "Zahlung", "inventory-служба"};

    /* One record a batch, stamped with the newest end in it, as a collector would while it happens. */
    private record Exporter(KafkaProducer<byte[], byte[]> producer, String topic) implements SpanExporter {
        @Override
        public CompletableResultCode export(Collection<SpanData> spans) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            try {
                TraceRequestMarshaler.create(spans).writeBinaryTo(bytes);
            } catch (IOException e) {
                return CompletableResultCode.ofFailure();
            }
            long newest = spans.stream().mapToLong(SpanData::getEndEpochNanos).max().orElseThrow();
            producer.send(new ProducerRecord<>(topic, null, newest / 1_000_000, null, bytes.toByteArray()));
            return CompletableResultCode.ofSuccess();
        }

        @Override
        public CompletableResultCode flush() {
            producer.flush();
            return CompletableResultCode.ofSuccess();
        }

        @Override
        public CompletableResultCode shutdown() {
            return flush();
        }
    }

    private final Random random = new Random(7);
    private final long[] entries = new long[SERVICES.length], failed = new long[SERVICES.length];

    private void fail(Span span) {
        if (random.nextBoolean()) {
            span.recordException(new IllegalStateException("order " + random.nextInt(100000) + " is closed"));
            span.setStatus(StatusCode.ERROR);
        } else {
            span.setAttribute("error.type", "503").setStatus(StatusCode.ERROR, "no answer within 250 ms");
        }
    }

    /* Every kind of value that an attribute can have. */
    private void describe(SpanBuilder builder) {
        builder.setAttribute("http.request.method", "GET")
            .setAttribute("http.response.status_code", 200)
            .setAttribute("cached", random.nextBoolean())
            .setAttribute("load", random.nextDouble())
            .setAttribute(AttributeKey.stringArrayKey("tags"), List.of("a", "", "ü"))
            .setAttribute(AttributeKey.longArrayKey("sizes"), List.of(1L, -1L, Long.MAX_VALUE));
    }

    private Span span(Tracer[] tracer, int service, Span parent, long endNs) {
        SpanBuilder builder = tracer[service].spanBuilder("operation " + random.nextInt(4));
        if (parent == null) builder.setNoParent();
        else builder.setParent(Context.root().with(parent)).addLink(parent.getSpanContext(), Attributes.empty());
        SpanKind kind = SpanKind.values()[random.nextInt(SpanKind.values().length)];
        boolean entry = kind == SpanKind.SERVER || kind == SpanKind.CONSUMER, fails = random.nextInt(10) == 0;
        builder.setSpanKind(kind);
        describe(builder);
        long duration = (long) Math.exp(17 + random.nextGaussian());
        Span span = builder.setStartTimestamp(endNs - duration, TimeUnit.NANOSECONDS).startSpan();
        if (random.nextInt(8) == 0) span.addEvent("retry", Attributes.of(AttributeKey.longKey("attempt"), 2L));
        if (fails) fail(span);
        else if (random.nextInt(4) == 0) span.setStatus(StatusCode.OK);
        entries[service] += entry ? 1 : 0;
        failed[service] += entry && fails ? 1 : 0;
        span.end(endNs, TimeUnit.NANOSECONDS);
        return span;
    }

    private void run(String brokers, String topic, int spans) throws Exception {
        Map<String, Object> settings = Map.of("bootstrap.servers", brokers);
        try (Admin admin = Admin.create(settings)) {
            admin.createTopics(List.of(new NewTopic(topic, 6, (short) 1))).all().get(30, TimeUnit.SECONDS);
        }
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            SdkTracerProvider[] provider = new SdkTracerProvider[SERVICES.length];
            Tracer[] tracer = new Tracer[SERVICES.length];
            for (int s = 0; s < SERVICES.length; s++) {
                Resource resource = Resource.create(Attributes.of(AttributeKey.stringKey("service.name"), SERVICES[s],
                    AttributeKey.stringKey("service.version"), "1.2.3"));
                var processor = BatchSpanProcessor.builder(new Exporter(producer, topic))
                    .setMaxQueueSize(2 * spans).setMaxExportBatchSize(100).build();
                provider[s] = SdkTracerProvider.builder().setResource(resource).addSpanProcessor(processor).build();
                tracer[s] = provider[s].get("weir.interop", "1");
            }
            long begin = (Instant.now().getEpochSecond() - 600) * 1_000_000_000L;
            Span parent = null;
            for (int i = 0; i < spans; i++) {
                long endNs = begin + 300_000_000_000L * i / spans;
                parent = span(tracer, i % SERVICES.length, i % 5 == 0 ? null : parent, endNs);
            }
            for (SdkTracerProvider p : provider) p.shutdown().join(30, TimeUnit.SECONDS);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Spans spans = new Spans();
        spans.run(arguments[0], arguments[1], Integer.parseInt(arguments[2]));
        for (int s = 0; s < SERVICES.length; s++)
            System.out.println(SERVICES[s] + " " + spans.entries[s] + " " + spans.failed[s]);
    }
}
