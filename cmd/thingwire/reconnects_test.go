package main

import (
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/server"
)

// What is a loop of reconnects and what is none, whether the journal has joined the entries or not.
func TestFindReconnects(t *testing.T) {
	t.Parallel()
	start := time.Date(2025, 1, 2, 3, 0, 0, 0, time.UTC)
	connect := func(after time.Duration, count int, since time.Duration) server.JournalEntry {
		e := server.JournalEntry{EventType: "Connect", Status: "Success", Count: count}
		e.Timestamp.Time = start.Add(after)
		if count > 1 {
			e.FirstSeen.Time = start.Add(since)
		}
		return e
	}
	end := func(after time.Duration, reason string) server.JournalEntry {
		e := server.JournalEntry{EventType: "Disconnect", DisconnectReason: reason}
		e.Timestamp.Time = start.Add(after)
		return e
	}
	refused := connect(0, 50, 0)
	refused.Status = "Failure"
	s := time.Second
	for _, tc := range []struct {
		name    string
		entries []server.JournalEntry
		want    []int // connections of each loop
		end     string
	}{
		{"nothing", nil, nil, ""},
		{"one connection", []server.JournalEntry{connect(0, 0, 0), end(s, "CONNECTION_LOST")}, nil, ""},
		{"joined", []server.JournalEntry{connect(59*s, 40, 0), end(s, "CLIENT_ERROR")}, []int{40}, "CLIENT_ERROR"},
		{"told one by one", []server.JournalEntry{connect(0, 0, 0), connect(9*s, 0, 0), connect(18*s, 0, 0), connect(27*s, 0, 0)}, []int{4}, ""},
		{"joined over several windows", []server.JournalEntry{connect(55*s, 10, 0), connect(115*s, 10, 60*s)}, []int{20}, ""},
		{"a few an hour", []server.JournalEntry{connect(0, 0, 0), connect(3600*s, 0, 0), connect(7200*s, 0, 0), connect(9000*s, 0, 0)}, nil, ""},
		{"two loops", []server.JournalEntry{connect(55*s, 10, 0), connect(4000*s, 5, 3990*s)}, []int{10, 5}, ""},
		{"refused ones", []server.JournalEntry{refused}, nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			loops := findReconnects(tc.entries)
			if len(loops) != len(tc.want) {
				t.Fatalf("%d loops, want %d: %v", len(loops), len(tc.want), loops)
			}
			for i, n := range tc.want {
				if loops[i].Connections != n {
					t.Errorf("loop %d has %d connections, want %d", i, loops[i].Connections, n)
				}
			}
			if tc.end != "" && (len(loops[0].Ends) != 1 || loops[0].Ends[0].Reason != tc.end) {
				t.Errorf("the loop's connections end with %v, want %s", loops[0].Ends, tc.end)
			}
		})
	}
}
