package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/server"
)

func newWhy(w *world) *cobra.Command {
	var since string
	var limit int
	cmd := &cobra.Command{
		Use:   "why CLIENT_ID",
		Short: "Tell what happened to a client, why, and what to do",
		Long: `Tells the story of a client from the server's journal: each connection and how it ended, what was
denied and by which statement, what was dropped or throttled, and what to do about it. Instead of a client id it takes
the name of a thing or the id of a certificate. Times are UTC.`,
		Example: `  thingwire why lamp
  thingwire why lamp --since 1h --output json`,
		Args: exactly("CLIENT_ID"),
	}
	at, output := reachFlags(cmd), outputFlag(cmd)
	cmd.Flags().StringVar(&since, "since", "24h", "how far back: a duration like 1h, or a time like 2006-01-02T15:04:05Z")
	cmd.Flags().IntVar(&limit, "limit", 100, "the last so many entries")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		asJSON, err := wantsJSON(*output)
		if err != nil {
			return err
		}
		if limit < 1 {
			return usage("--limit must be 1 or more")
		}
		from, err := server.JournalSince(since, time.Now())
		if err != nil {
			return usage("--since: %s", err)
		}
		client, err := w.client(at)
		if err != nil {
			return err
		}
		defer client.Close()
		s, err := learn(cmd.Context(), client, args[0], from, limit)
		if err != nil {
			return err
		}
		if asJSON {
			return w.printJSON(s)
		}
		w.printf("%s", s)
		return nil
	}
	return cmd
}

// unnamedAtMost is how many connections of strangers are shown where nothing is known of a client.
const unnamedAtMost = 10

// story is what is known of a client.
type story struct {
	ClientID string                `json:"clientId"`
	Since    time.Time             `json:"since"`
	Entries  []server.JournalEntry `json:"entries"`
	// Reconnects are the loops among the entries.
	Reconnects []reconnects `json:"reconnects,omitempty"`
	// Before is the last entry before Since, and Strangers are connections that were refused before they said who they
	// are, both only where there are no Entries.
	Before    *server.JournalEntry  `json:"before,omitempty"`
	Strangers []server.JournalEntry `json:"unnamed,omitempty"`
}

func learn(ctx context.Context, client *server.Client, id string, since time.Time, limit int) (*story, error) {
	s := &story{ClientID: id, Since: since.UTC()}
	var err error
	if s.Entries, err = entries(ctx, client, server.JournalQuery{ClientID: id, Since: since, Limit: limit}); err != nil || len(s.Entries) > 0 {
		s.Reconnects = findReconnects(s.Entries)
		return s, err
	}
	before, err := entries(ctx, client, server.JournalQuery{ClientID: id, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(before) > 0 {
		s.Before = &before[0]
	}
	s.Strangers, err = entries(ctx, client, server.JournalQuery{Unnamed: true, Since: since, Limit: unnamedAtMost})
	return s, err
}

func entries(ctx context.Context, client *server.Client, q server.JournalQuery) ([]server.JournalEntry, error) {
	found := []server.JournalEntry{} // JSON has no null for them
	err := client.Journal(ctx, q, false, func(line []byte) error {
		var e server.JournalEntry
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		found = append(found, e)
		return nil
	})
	return found, err
}
