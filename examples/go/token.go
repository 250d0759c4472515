package main

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	minSecretBytes = 32
	tokenLifetime  = time.Minute
	// A token is used again until it has this long to live, so that none expires on its way.
	tokenMargin = 30 * time.Second
)

// meshSecret reads the secret that the mesh was started with: ATELIER_SECRET, else the file in its data folder.
func meshSecret() ([]byte, error) {
	text := strings.TrimSpace(os.Getenv("ATELIER_SECRET"))
	if text == "" {
		folder := os.Getenv("ATELIER_DATA")
		if folder == "" {
			home, err := os.UserHomeDir()
			if err != nil {
				return nil, err
			}
			folder = filepath.Join(setting("XDG_DATA_HOME", filepath.Join(home, ".local", "share")), "atelier")
		}
		file, err := os.ReadFile(filepath.Join(folder, "secret"))
		if err != nil {
			return nil, err
		}
		text = strings.TrimSpace(string(file))
	}
	if len(text) < minSecretBytes {
		return nil, fmt.Errorf("the mesh secret must have at least %d bytes", minSecretBytes)
	}
	return []byte(text), nil
}

// serviceToken puts a service token (docs/service-tokens.md) on every call of a connection: it says that the caller is
// role, to the one role that is its audience. It is a credentials.PerRPCCredentials.
type serviceToken struct {
	key            []byte
	role, audience string

	mu    sync.Mutex
	token string
	until time.Time
}

func newServiceToken(secret []byte, role, audience string) (*serviceToken, error) {
	key, err := hkdf.Key(sha256.New, secret, []byte("atelier/v1"), "service-tokens", 32)
	if err != nil {
		return nil, err
	}
	return &serviceToken{key: key, role: role, audience: audience}, nil
}

// GetRequestMetadata is called by gRPC before each call.
func (s *serviceToken) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.After(s.until) {
		token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
			"iss": "atelier-mesh",
			"aud": s.audience,
			"sub": s.role,
			"iat": now.Unix(),
			"exp": now.Add(tokenLifetime).Unix(),
		})
		token.Header["typ"] = "service+jwt"
		signed, err := token.SignedString(s.key)
		if err != nil {
			return nil, err
		}
		s.token, s.until = signed, now.Add(tokenLifetime-tokenMargin)
	}
	return map[string]string{"authorization": "Bearer " + s.token}, nil
}

// RequireTransportSecurity is false, since roles of a mesh speak plain HTTP/2 inside a trusted network. Use https where
// that is not so.
func (s *serviceToken) RequireTransportSecurity() bool { return false }
