package main

import (
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/server"
)

func newBackup(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy the data directory while the server runs",
		Long: `Copies what a server keeps into DIR, which must not be there yet or be empty: the store as it is at one moment, the
certificate authority, the server's certificates, the key that seals secrets, and the credentials of the first start.
The server goes on meanwhile; what it had acknowledged before is in the copy. The journal is not. DIR holds the same
secrets as the data directory: it is 0700 and its files are 0600. "thingwire restore" makes a data directory of it.`,
		Example: `  thingwire backup /mnt/backup/thingwire-monday
  thingwire restore /mnt/backup/thingwire-monday --data-dir ./data`,
		Args: exactly("DIR"),
	}
	dataDir := dataDirFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		dir, to, err := twoDirs(w, *dataDir, args[0])
		if err != nil {
			return err
		}
		told, end := w.progress("copied")
		info, err := server.Backup(cmd.Context(), dir, to, told)
		end()
		if err != nil {
			return err
		}
		w.printf("%s has a backup of %s: %d files, %s.\n", to, dir, len(info.Files), byteSize(info.Bytes()))
		return nil
	}
	return cmd
}

// twoDirs are the data directory and another one, absolute.
func twoDirs(w *world, dataDir, other string) (dir, abs string, err error) {
	if dir, err = w.dataDir(dataDir); err != nil {
		return "", "", asUsage(err)
	}
	abs, err = filepath.Abs(other)
	return dir, abs, err
}

// progressPause is how often a line of progress is written anew.
const progressPause = 100 * time.Millisecond

// progress writes on stderr how far something is, on one line and only where it is a terminal. end removes the line.
func (w *world) progress(done string) (told server.Progress, end func()) {
	if !isTerminal(w.stderr) {
		return nil, func() {}
	}
	var last time.Time
	told = func(n, total int64) {
		if now := time.Now(); now.Sub(last) > progressPause {
			last = now
			w.errorf("\r\x1b[K%s %s of %s", byteSize(n), done, byteSize(total))
		}
	}
	return told, func() { w.errorf("\r\x1b[K") }
}
