package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"

	generation "atelier.example/archiver/gen/atelier/generation/v1"
)

// maxFileBytes is the largest file that is kept.
const maxFileBytes = 256 << 20

// keep downloads a generation's file into folder, under the name of its SHA-256. It appears whole or not at all, and only
// when its bytes are those that the mesh has told of. One that is there already is not fetched again.
func keep(ctx context.Context, client *http.Client, folder string, file *generation.Artifact) (string, error) {
	if sum, err := hex.DecodeString(file.GetSha256()); err != nil || len(sum) != sha256.Size {
		return "", fmt.Errorf("%q is no SHA-256", file.GetSha256())
	}
	if file.GetSizeBytes() > maxFileBytes {
		return "", fmt.Errorf("%d bytes are too many", file.GetSizeBytes())
	}
	path := filepath.Join(folder, file.GetSha256()+extension(file.GetContentType()))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	draft, err := os.CreateTemp(folder, ".draft-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(draft.Name()) // which fails, as it should, once it has its name
	defer draft.Close()

	// The URL is signed and needs no token; it must never be sent one.
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, file.GetUrl(), nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the download answered %s", response.Status)
	}
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(draft, sum), io.LimitReader(response.Body, file.GetSizeBytes()+1))
	if err != nil {
		return "", err
	}
	if found := hex.EncodeToString(sum.Sum(nil)); size != file.GetSizeBytes() || found != file.GetSha256() {
		return "", fmt.Errorf("the file has %d bytes and the SHA-256 %s, and should have others", size, found)
	}
	if err := draft.Sync(); err != nil {
		return "", err
	}
	return path, os.Rename(draft.Name(), path)
}

// extension is the usual one of a media type, where the system's list of them may not be there.
func extension(contentType string) string {
	kind, _, _ := mime.ParseMediaType(contentType)
	known := map[string]string{"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", "audio/wav": ".wav", "audio/flac": ".flac"}
	return known[kind]
}
