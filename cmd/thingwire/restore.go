package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/server"
)

func newRestore(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore DIR",
		Short: "Make a data directory of a backup",
		Long: `Makes a data directory of what "thingwire backup" has written into DIR, after checking every file of it. The data
directory must not be there yet or be empty, and is whole when it appears. Start a server on it with "thingwire serve".`,
		Example: `  thingwire restore /mnt/backup/thingwire-monday --data-dir ./data`,
		Args:    exactly("DIR"),
	}
	dataDir := dataDirFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		dir, from, err := twoDirs(w, *dataDir, args[0])
		if err != nil {
			return err
		}
		told, end := w.progress("restored")
		info, err := server.Restore(cmd.Context(), from, dir, told)
		end()
		if err != nil {
			return err
		}
		w.printf("%s is the data directory of account %s, region %s, as it was at %s.\n", dir, info.Account, info.Region,
			info.Created.Format("2006-01-02 15:04:05 UTC"))
		return nil
	}
	return cmd
}

// isTerminal reports whether somebody may be looking at what is written.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// byteSize is a number of bytes for people.
func byteSize(n int64) string {
	const k = 1 << 10
	switch {
	case n < k:
		return fmt.Sprintf("%d bytes", n)
	case n < k*k:
		return fmt.Sprintf("%.1f KB", float64(n)/k)
	case n < k*k*k:
		return fmt.Sprintf("%.1f MB", float64(n)/(k*k))
	}
	return fmt.Sprintf("%.1f GB", float64(n)/(k*k*k))
}
