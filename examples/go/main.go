// The archiver is a service beside the mesh: it follows a generation to its end, over cut connections, and keeps the file.
//
// It calls the mesh both ways: with its caller's access token, passed on unchanged, for what it does in that account's
// name, and with a service token of its own for what it does as itself. README.md says how to run it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	analytics "atelier.example/archiver/gen/atelier/analytics/v1"
	users "atelier.example/archiver/gen/atelier/users/v1"
)

const (
	// No archive takes longer, whatever its caller would wait for.
	longest = 10 * time.Minute
	drain   = 10 * time.Second
)

type archiver struct {
	users    users.UsersServiceClient
	watches  map[string]watch
	recorder *recorder
	client   *http.Client
	folder   string
}

// archive answers POST /archives: {"service": "text-image" or "tts", "generation_id": …}, in the name of the account whose
// access token comes along. The same one again is the same file, so a caller may repeat it.
func (a *archiver) archive(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	var asked struct {
		Service      string `json:"service"`
		GenerationID string `json:"generation_id"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&asked); err != nil {
		refuse(w, status.Error(codes.InvalidArgument, "the body must be a JSON object"))
		return
	}
	open, known := a.watches[asked.Service]
	if !known {
		refuse(w, status.Error(codes.InvalidArgument, "service: must be text-image or tts"))
		return
	}
	// r.Context() ends when the caller goes away; the generation itself does not.
	ctx, cancel := context.WithTimeout(inTheNameOf(r.Context(), r.Header.Get("Authorization")), longest)
	defer cancel()
	me, err := a.users.GetMe(ctx, &users.GetMeRequest{})
	if err != nil {
		refuse(w, err)
		return
	}
	file, cuts, err := follow(ctx, open, asked.GenerationID)
	if err != nil {
		refuse(w, err)
		return
	}
	path, err := keep(ctx, a.client, a.folder, file)
	if err != nil {
		slog.Error("the file was not kept", "generation", asked.GenerationID, "error", err)
		refuse(w, status.Error(codes.Unavailable, "the file was not kept"))
		return
	}
	// The generation's id names the event, so that one archived twice is counted once. What the generation itself used
	// was counted by the service that made it.
	a.recorder.record(&analytics.UsageEvent{
		Id:       asked.GenerationID,
		Source:   "archiver",
		UserId:   me.GetUser().GetId(),
		Provider: "archiver",
		Model:    asked.Service,
		Outcome:  analytics.Outcome_OUTCOME_COMPLETED,
		Duration: durationpb.New(time.Since(begun)),
		Time:     timestamppb.Now(),
	})
	answer(w, http.StatusOK, map[string]any{
		"path": path, "content_type": file.GetContentType(), "sha256": file.GetSha256(), "cuts": cuts,
	})
}

// refuse tells an error of the mesh over HTTP: its code, its message, and the reason that programs match.
func refuse(w http.ResponseWriter, err error) {
	if ended := (errEnded{}); errors.As(err, &ended) {
		told := map[string]string{"code": "ABORTED", "reason": ended.reason, "message": ended.message}
		answer(w, http.StatusConflict, map[string]any{"error": told})
		return
	}
	codesOfHTTP := map[codes.Code]int{
		codes.InvalidArgument: http.StatusBadRequest, codes.Unauthenticated: http.StatusUnauthorized,
		codes.PermissionDenied: http.StatusForbidden, codes.NotFound: http.StatusNotFound,
		codes.ResourceExhausted: http.StatusTooManyRequests, codes.Unavailable: http.StatusServiceUnavailable,
		codes.DeadlineExceeded: http.StatusGatewayTimeout,
	}
	found := status.Convert(err)
	code, known := codesOfHTTP[found.Code()]
	if !known {
		code = http.StatusBadGateway
	}
	told := map[string]string{"code": found.Code().String(), "message": found.Message()}
	for _, detail := range found.Details() {
		if info, is := detail.(*errdetails.ErrorInfo); is {
			told["reason"] = info.GetReason()
		}
	}
	answer(w, code, map[string]any{"error": told})
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the caller may be gone
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func run() error {
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()

	secret, err := meshSecret()
	if err != nil {
		return err
	}
	token, err := newServiceToken(secret, "archiver", "analytics")
	if err != nil {
		return err
	}
	edge, err := dial(setting("ATELIER_PUBLIC_URL", "http://localhost:8080"))
	if err != nil {
		return err
	}
	defer edge.Close()
	usage, err := dial(setting("ATELIER_ANALYTICS_URL", "http://127.0.0.1:8005"), grpc.WithPerRPCCredentials(token))
	if err != nil {
		return err
	}
	defer usage.Close()
	folder := setting("ARCHIVER_FOLDER", "archive")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	service := &archiver{
		users:    users.NewUsersServiceClient(edge),
		watches:  watches(edge),
		recorder: &recorder{client: analytics.NewAnalyticsServiceClient(usage)},
		client:   &http.Client{Timeout: 2 * time.Minute},
		folder:   folder,
	}

	routes := http.NewServeMux()
	routes.HandleFunc("POST /archives", service.archive)
	routes.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	listener, err := net.Listen("tcp", setting("ARCHIVER_LISTEN", "127.0.0.1:8102"))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: routes, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 32 << 10}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	fmt.Printf("ready: http://%s\n", listener.Addr())
	select {
	case err := <-failed:
		return err
	case <-stop.Done():
	}
	slog.Info("draining")
	last, end := context.WithTimeout(context.Background(), drain)
	defer end()
	if err := server.Shutdown(last); err != nil {
		// What still follows a generation is cut off; its caller may ask again.
		_ = server.Close()
	}
	if err := service.recorder.flush(last); err != nil {
		slog.Error(err.Error())
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		slog.Error("it could not serve", "error", err)
		os.Exit(1)
	}
}
