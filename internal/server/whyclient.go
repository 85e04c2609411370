package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
)

// JournalEntry is one line of the journal.
type JournalEntry = journal.Entry

// JournalQuery says which entries are asked for.
type JournalQuery = journal.Query

// Journal calls fn with each entry that q asks for, as a line of JSON without its end. With follow it goes on with
// what comes: it returns when ctx ends (nil), the server stops, or fn fails.
func (c *Client) Journal(ctx context.Context, q JournalQuery, follow bool, fn func(line []byte) error) error {
	stream, err := c.Stream(ctx, journalPath+"?"+journalParams(q, follow).Encode())
	if err != nil {
		return err
	}
	defer stream.Close()
	in := bufio.NewReader(stream)
	for {
		line, err := in.ReadBytes('\n')
		switch {
		case follow && ctx.Err() != nil:
			return nil // stopped, as meant
		case !follow && errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case err != nil:
			return fault.Wrap(fault.Unavailable, err, "the server stopped")
		}
		if err := fn(bytes.TrimSpace(line)); err != nil {
			return err
		}
	}
}

func journalParams(q JournalQuery, follow bool) url.Values {
	params := url.Values{}
	if q.ClientID != "" {
		params.Set("clientId", q.ClientID)
	}
	if !q.Since.IsZero() {
		params.Set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	if q.Limit > 0 {
		params.Set("limit", strconv.Itoa(q.Limit))
	}
	for name, on := range map[string]bool{"failures": q.Failures, "unnamed": q.Unnamed, "follow": follow} {
		if on {
			params.Set(name, "true")
		}
	}
	return params
}
