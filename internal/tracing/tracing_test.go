package tracing_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"

	"github.com/vmdrift/vmdrift/internal/tracing"
)

func TestTracesGoWhereTheEnvironmentSays(t *testing.T) {
	var mu sync.Mutex
	var got bytes.Buffer
	paths := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		paths[r.URL.Path]++
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(r.Body)
		}
		_, _ = io.Copy(&got, body)
	}))
	defer s.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.URL)
	stop, err := tracing.Start(t.Context(), "v1.2.3", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_, span := otel.Tracer("test").Start(t.Context(), "a span of the test")
	span.End()
	if err := stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if paths["/v1/traces"] == 0 {
		t.Errorf("asked %v", paths)
	}
	for _, want := range []string{"a span of the test", "vmdrift", "v1.2.3"} {
		if !bytes.Contains(got.Bytes(), []byte(want)) {
			t.Errorf("the traces lack %q", want)
		}
	}
}

func TestWithoutWordOfTheEnvironmentNothingIsSent(t *testing.T) {
	for _, env := range []map[string]string{
		{},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
	} {
		t.Run("", func(t *testing.T) {
			for k, v := range env {
				t.Setenv(k, v)
			}
			before := otel.GetTracerProvider()
			stop, err := tracing.Start(t.Context(), "v1", slog.New(slog.DiscardHandler))
			if err != nil || otel.GetTracerProvider() != before {
				t.Errorf("%v: %v", env, err)
			}
			if err := stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Setenv("OTEL_TRACES_EXPORTER", "zipkin")
	if _, err := tracing.Start(t.Context(), "v1", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("zipkin is taken")
	}
	t.Setenv("OTEL_TRACES_EXPORTER", "otlp")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	if _, err := tracing.Start(t.Context(), "v1", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("grpc is taken")
	}
}
