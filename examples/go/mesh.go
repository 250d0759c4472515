package main

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	analytics "atelier.example/archiver/gen/atelier/analytics/v1"
	generation "atelier.example/archiver/gen/atelier/generation/v1"
	image "atelier.example/archiver/gen/atelier/text_image/v1"
	tts "atelier.example/archiver/gen/atelier/tts/v1"
)

// dial makes a connection to http://HOST:PORT or https://HOST[:PORT], which is opened by its first call.
func dial(url string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	scheme, host, _ := strings.Cut(strings.TrimRight(url, "/"), "://")
	if scheme == "https" {
		transport = credentials.NewTLS(nil)
	}
	return grpc.NewClient(host, append(options, grpc.WithTransportCredentials(transport))...)
}

// inTheNameOf passes the caller's own authorization on, unchanged; without one the mesh says what is missing.
func inTheNameOf(ctx context.Context, authorization string) context.Context {
	if authorization == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", authorization)
}

// events receives the next event of a stream.
type events func() (*generation.GenerationEvent, error)

// watch opens the stream of a generation behind a sequence.
type watch func(ctx context.Context, id string, after int64) (events, error)

// watches are the services whose generations end with a file.
func watches(edge grpc.ClientConnInterface) map[string]watch {
	images, speech := image.NewTextImageServiceClient(edge), tts.NewTtsServiceClient(edge)
	return map[string]watch{
		"text-image": func(ctx context.Context, id string, after int64) (events, error) {
			stream, err := images.WatchGeneration(ctx, &image.WatchGenerationRequest{GenerationId: id, AfterSequence: after})
			return received(stream), err
		},
		"tts": func(ctx context.Context, id string, after int64) (events, error) {
			stream, err := speech.WatchGeneration(ctx, &tts.WatchGenerationRequest{GenerationId: id, AfterSequence: after})
			return received(stream), err
		},
	}
}

func received[R interface {
	GetEvent() *generation.GenerationEvent
}](stream interface{ Recv() (R, error) }) events {
	return func() (*generation.GenerationEvent, error) {
		answer, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		return answer.GetEvent(), nil
	}
}

// errEnded is a generation that came to its end without a file.
type errEnded struct{ reason, message string }

func (e errEnded) Error() string { return e.reason + ": " + e.message }

// maxCuts is how often in a row a stream may be cut before it has told anything new.
const maxCuts = 6

// follow waits for a generation's end and returns its file. A stream that is cut is taken up behind the last sequence that
// was seen, which is safe since watching changes nothing; the number says how often.
func follow(ctx context.Context, open watch, id string) (*generation.Artifact, int, error) {
	var (
		file *generation.Artifact
		last int64
		cuts int
	)
	for idle := 0; ; cuts++ {
		next, err := open(ctx, id, last)
		for err == nil {
			var event *generation.GenerationEvent
			if event, err = next(); err != nil {
				break
			}
			if event.GetSequence() > last {
				last, idle = event.GetSequence(), 0
			}
			switch told := event.GetEvent().(type) {
			case *generation.GenerationEvent_Snapshot: // replaces everything before it
				file = nil
				for _, stored := range told.Snapshot.GetArtifacts() {
					file = stored
				}
			case *generation.GenerationEvent_Artifact:
				file = told.Artifact
			case *generation.GenerationEvent_Failed:
				return nil, cuts, errEnded{told.Failed.GetReason(), told.Failed.GetMessage()}
			case *generation.GenerationEvent_Cancelled:
				return nil, cuts, errEnded{"CANCELLED", "it was cancelled"}
			case *generation.GenerationEvent_Completed:
				if file == nil {
					return nil, cuts, errEnded{"NO_FILE", "it ended well and has no file"}
				}
				return file, cuts, nil
			}
		}
		// Anything but a lost connection would be answered the same again.
		if idle++; status.Code(err) != codes.Unavailable || idle > maxCuts {
			return nil, cuts, err
		}
		slog.Info("the stream was cut", "generation", id, "after", last, "error", err)
		if err := pause(ctx, idle); err != nil {
			return nil, cuts, err
		}
	}
}

// pause waits a little longer each time, and never the same as everybody else.
func pause(ctx context.Context, attempt int) error {
	longest := min(100*time.Millisecond<<attempt, 5*time.Second)
	select {
	case <-time.After(longest/2 + rand.N(longest/2)):
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

// recordSeconds bounds how long an event waits for analytics to come back.
const recordSeconds = 120

// recorder takes usage events to analytics in the archiver's own name. What waits is lost in a crash: a service that may
// lose none keeps them in its database until they are acknowledged.
type recorder struct {
	client  analytics.AnalyticsServiceClient
	pending sync.WaitGroup
}

// record returns at once. It is safe to try again, since analytics counts an id once, whatever became of the
// acknowledgement.
func (r *recorder) record(event *analytics.UsageEvent) {
	r.pending.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), recordSeconds*time.Second)
		defer cancel()
		for attempt := 1; ; attempt++ {
			call, done := context.WithTimeout(ctx, 5*time.Second)
			answer, err := r.client.RecordEvents(call, &analytics.RecordEventsRequest{Events: []*analytics.UsageEvent{event}})
			done()
			if err == nil {
				slog.Info("usage event acknowledged", "id", event.GetId(), "new", answer.GetRecorded() == 1)
				return
			}
			code := status.Code(err)
			if code == codes.Unavailable || code == codes.DeadlineExceeded || code == codes.ResourceExhausted {
				if pause(ctx, attempt) == nil {
					continue
				}
			}
			slog.Error("usage event is lost", "id", event.GetId(), "error", err)
			return
		}
	})
}

// flush waits until every event was acknowledged or given up, or ctx ends.
func (r *recorder) flush(ctx context.Context) error {
	done := make(chan struct{})
	go func() { r.pending.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errors.New("some usage events were not acknowledged")
	}
}
