package worker

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/vmdrift/vmdrift/drift"
)

// tracer does nothing unless the process was told where to send traces.
func tracer() trace.Tracer { return otel.Tracer("github.com/vmdrift/vmdrift/internal/worker") }

// span begins one for work on a run. end ends it, as failed if there was an error.
func span(ctx context.Context, name string, run drift.RunID, attrs ...attribute.KeyValue) (own context.Context, end func(error)) {
	own, s := tracer().Start(ctx, name, trace.WithAttributes(append(attrs, attribute.Int64("vmdrift.run", int64(run)))...))
	return own, func(err error) {
		if err != nil {
			s.SetStatus(codes.Error, err.Error())
		}
		s.End()
	}
}
