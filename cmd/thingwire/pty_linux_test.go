package main

import (
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A program opens the terminal, closes it, and opens it again; it reads the modem's answers and nothing of what it wrote.
func TestModemOnAPseudoTerminal(t *testing.T) {
	t.Parallel()
	path := startModem(t, "(/dev/pts/.*)", "--pty", "--speed", "1000")
	for range 2 {
		terminal, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(terminal, "+++AT$SF=41C8CCCD\r\nAT$SF=41B8800\r"); err != nil {
			t.Fatal(err)
		}
		expectAnswers(t, terminal, "OK", "OK", "ERROR")
		_ = terminal.Close()
	}
}

// What nobody reads is lost, and does not hold the modem up.
func TestAnswersThatNobodyReadsAreLost(t *testing.T) {
	t.Parallel()
	p, err := openPTY()
	if err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 1<<12)
	lost := false
	for range 64 {
		began := time.Now()
		if n, err := p.Write(text); err != nil || n != len(text) {
			t.Fatalf("%d, %v", n, err)
		}
		if lost = time.Since(began) >= answerWithin; lost {
			break
		}
	}
	if !lost {
		t.Error("the terminal takes everything")
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
