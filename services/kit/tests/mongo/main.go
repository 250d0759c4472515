// A server that speaks MongoDB's protocol, for tests: FerretDB as a library, with its SQLite backend in a folder, behind a
// door that lets one command that writes through at a time. README.md says why, and what such a server is not.
//
//	mongo ADDRESS FOLDER
package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/FerretDB/FerretDB/ferretdb"
	"go.mongodb.org/mongo-driver/bson"
)

const (
	header = 16
	// The most that a message of the protocol may have.
	largest = 48_000_000
	opMsg   = 2013
	opQuery = 2004
	// Flags of OP_MSG.
	moreToCome = 1 << 1
)

// The commands that change something, by the first key of their document.
var writes = map[string]bool{
	"insert": true, "update": true, "delete": true, "findAndModify": true, "findandmodify": true,
	"create": true, "drop": true, "dropDatabase": true, "dropIndexes": true,
	"renameCollection": true, "collMod": true,
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: mongo ADDRESS FOLDER")
		os.Exit(64)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(address, folder string) error {
	data := filepath.Join(folder, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	// The door is the only way in.
	inside := filepath.Join(folder, "inside.sock")
	if err := os.Remove(inside); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	server, err := ferretdb.New(&ferretdb.Config{
		Listener: ferretdb.ListenerConfig{Unix: inside},
		Logger:   slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Handler:  "sqlite",
		// These servers are killed, and their machine is not: what was written to the system is there again.
		SQLiteURL: "file:" + data + "/?_pragma=synchronous(off)",
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Run(context.Background()) }()
	door, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	turns := &turns{of: map[string]*sync.Mutex{}, data: data, indexed: map[string]bool{}}
	go func() {
		for {
			client, err := door.Accept()
			if err != nil {
				ended <- err
				return
			}
			go serve(client, inside, turns)
		}
	}()
	return <-ended
}

// One connection of a client has one inside.
func serve(client net.Conn, inside string, turns *turns) {
	defer client.Close()
	server, err := net.Dial("unix", inside)
	if err != nil {
		slog.Error("no connection inside", "error", err)
		return
	}
	defer server.Close()
	for {
		request, err := read(client)
		if err != nil {
			return
		}
		answer, err := ask(server, request, turns)
		if err != nil {
			slog.Warn("a command was not answered", "error", err)
			return
		}
		if answer == nil {
			continue
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
	}
}

// Whose turn it is to write, in each database.
type turns struct {
	sync.Mutex
	of      map[string]*sync.Mutex
	data    string
	indexed map[string]bool
}

// Makes the index by `_id` that FerretDB means to have: its own is of another expression than its questions, so that each of
// them would read the whole collection.
func (t *turns) index(database, collection string) {
	name := database + "." + collection
	t.Lock()
	known := t.indexed[name]
	t.indexed[name] = true
	t.Unlock()
	if known {
		return
	}
	if err := index(filepath.Join(t.data, database+".sqlite")); err != nil {
		slog.Error("a collection has no index by _id", "collection", name, "error", err)
	}
}

func index(file string) error {
	within, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer within.Close()
	rows, err := within.Query(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\_%' ESCAPE '\'`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			return err
		}
		tables = append(tables, table)
	}
	for _, table := range tables {
		make := fmt.Sprintf(`CREATE INDEX IF NOT EXISTS "%[1]s_by_id" ON "%[1]s" (_ferretdb_sjson->'$._id')`, table)
		if _, err := within.Exec(make); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (t *turns) in(database string) *sync.Mutex {
	t.Lock()
	defer t.Unlock()
	turn, known := t.of[database]
	if !known {
		turn = &sync.Mutex{}
		t.of[database] = turn
	}
	return turn
}

// Carries out one command; what writes does so alone in its database. The answer is nil where none is wanted.
func ask(server net.Conn, request []byte, turns *turns) ([]byte, error) {
	if database, name := command(request); name == "createIndexes" {
		request = elsewhere(request)
	} else if name == "" || writes[name] {
		turn := turns.in(database)
		turn.Lock()
		defer turn.Unlock()
		if name == "insert" {
			collection, _ := body(request).Index(0).Value().StringValueOK()
			defer turns.index(database, collection)
		}
	}
	if _, err := server.Write(request); err != nil {
		return nil, err
	}
	if code(request) == opMsg && binary.LittleEndian.Uint32(request[header:])&moreToCome != 0 {
		return nil, nil
	}
	return read(server)
}

func code(message []byte) uint32 { return binary.LittleEndian.Uint32(message[12:]) }

// Reads one message, whole.
func read(from io.Reader) ([]byte, error) {
	var head [header]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(head[:])
	if size < header+4 || size > largest {
		return nil, fmt.Errorf("a message of %d bytes", size)
	}
	message := make([]byte, size)
	copy(message, head[:])
	if _, err := io.ReadFull(from, message[header:]); err != nil {
		return nil, err
	}
	return message, nil
}

// The database and the name of a command; no name where nobody knows what it does.
func command(message []byte) (string, string) {
	document := body(message)
	if document == nil {
		return "", ""
	}
	first, err := document.IndexErr(0)
	if err != nil {
		return "", ""
	}
	database, _ := document.Lookup("$db").StringValueOK()
	return database, first.Key()
}

// The document of a message that says what it wants.
func body(message []byte) bson.Raw {
	if code(message) != opMsg {
		// OP_QUERY, which only says hello: its document is behind flags, the name of a collection and two numbers.
		if code(message) != opQuery {
			return nil
		}
		name := bytes.IndexByte(message[header+4:], 0)
		at := header + 4 + name + 1 + 8
		if name < 0 || at > len(message) {
			return nil
		}
		return document(message[at:])
	}
	sections := message[header+4:]
	for len(sections) >= 5 {
		kind := sections[0]
		sections = sections[1:]
		if kind == 0 {
			return document(sections)
		}
		size := int(binary.LittleEndian.Uint32(sections))
		if size < 5 || size > len(sections) {
			return nil
		}
		sections = sections[size:]
	}
	return nil
}

func document(from []byte) bson.Raw {
	if len(from) < 5 {
		return nil
	}
	size := int(binary.LittleEndian.Uint32(from))
	if size < 5 || size > len(from) {
		return nil
	}
	return bson.Raw(from[:size])
}

// The same command for a database that nobody uses. An index of more than `_id` finds nothing here and makes each write slower:
// it is checked, and is not in the way.
func elsewhere(message []byte) []byte {
	var asked bson.D
	if err := bson.Unmarshal(body(message), &asked); err != nil {
		return message
	}
	for at := range asked {
		if asked[at].Key == "$db" {
			asked[at].Value = "indexes"
		}
	}
	told, err := bson.Marshal(asked)
	if err != nil {
		return message
	}
	// The header, no flags, and one section of kind 0.
	same := append(append(bytes.Clone(message[:header]), 0, 0, 0, 0, 0), told...)
	binary.LittleEndian.PutUint32(same, uint32(len(same)))
	return same
}
