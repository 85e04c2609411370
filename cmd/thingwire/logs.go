package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/server"
)

func newLogs(w *world) *cobra.Command {
	var q server.JournalQuery
	var follow bool
	var since string
	cmd := &cobra.Command{
		Use:   "logs",
		Short: "Show what happened to clients, as AWS IoT logs it",
		Long: `Shows the server's journal: connections and how they ended, denials, drops, throttles. Each line
is one JSON object in the shape of AWS IoT's own logs (CloudWatch log group AWSIotLogsV2) with more fields: packet,
reasonCode, policy, statement, cause, remedy, count, firstSeen, listener. For people there is: thingwire why CLIENT_ID`,
		Example: `  thingwire logs --follow
  thingwire logs --failures --since 1h
  thingwire logs --client-id lamp --limit 20`,
		Args: none,
	}
	at := reachFlags(cmd)
	cmd.Flags().BoolVar(&follow, "follow", false, "go on with what comes, until stopped; an entry that was repeated comes again with its count")
	cmd.Flags().StringVar(&q.ClientID, "client-id", "", "only entries of this client, thing or certificate")
	cmd.Flags().BoolVar(&q.Failures, "failures", false, "only what failed")
	cmd.Flags().StringVar(&since, "since", "", "only what happened since then: a duration like 1h, or a time like 2006-01-02T15:04:05Z")
	cmd.Flags().IntVar(&q.Limit, "limit", 100, "the last so many entries")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if q.Limit < 1 {
			return usage("--limit must be 1 or more")
		}
		if since != "" {
			if q.Since, err = server.JournalSince(since, time.Now()); err != nil {
				return usage("--since: %s", err)
			}
		}
		client, err := w.client(at)
		if err != nil {
			return err
		}
		defer client.Close()
		return client.Journal(cmd.Context(), q, follow, func(line []byte) error {
			w.printf("%s\n", line)
			return nil
		})
	}
	return cmd
}
