package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/server"
)

func newCheck(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read everything in a data directory and tell what is wrong",
		Long: `Reads the whole store of a data directory: every key, every message of every queue, every document of sessions,
things, certificates, policies and access keys. It changes nothing. On the data directory of a running server it checks
the store as it is at that moment. Each problem is one line; with problems the exit code is 1.`,
		Example: `  thingwire check
  thingwire check --data-dir ./data --output json`,
		Args: none,
	}
	dataDir, output := dataDirFlag(cmd), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		asJSON, err := wantsJSON(*output)
		if err != nil {
			return err
		}
		dir, err := w.dataDir(*dataDir)
		if err != nil {
			return asUsage(err)
		}
		report, err := server.Check(cmd.Context(), dir)
		if err != nil {
			return err
		}
		if asJSON {
			if err := w.printJSON(report); err != nil {
				return err
			}
		} else {
			w.printf("%s", checkText(report))
		}
		if n := len(report.Problems); n > 0 {
			return fault.New(fault.Invalid, "%s has problems: %d", dir, n).WithRemedy("restore a backup with: thingwire restore")
		}
		return nil
	}
	return cmd
}

// checkText is a report for people.
func checkText(r *server.CheckReport) string {
	what := "the stopped server's store"
	if r.Running {
		what = "the running server's store as it was just now"
	}
	var text strings.Builder
	fmt.Fprintf(&text, "Read %s: %d documents, %d messages in %d queues.\n", what, r.Documents, r.Messages, r.Queues)
	for _, p := range r.Problems {
		text.WriteString("problem: " + plainText(p) + "\n")
	}
	if len(r.Problems) == 0 {
		text.WriteString("Nothing is wrong.\n")
	}
	return text.String()
}
