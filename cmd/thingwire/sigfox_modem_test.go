package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
)

// startModem runs the verb beside the test, which ends it. The first submatch of place says where the modem is.
func startModem(t *testing.T, place string, args ...string) string {
	t.Helper()
	out := &lineBuffer{}
	out.changed = sync.NewCond(&out.mu)
	var stderr strings.Builder
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan int)
	go func() {
		defer out.end()
		done <- run(ctx, &world{
			args: append([]string{"sigfox", "modem"}, args...), env: func(string) string { return "" },
			stdout: out, stderr: &stderr, signals: context.WithCancel,
		})
	}()
	t.Cleanup(func() {
		stop()
		if code := <-done; code != exitDone {
			t.Errorf("the modem ended with %d: %s", code, stderr.String())
		}
	})
	line := regexp.MustCompile("(?m)^The modem is on " + place + "$")
	if !out.await(line) {
		t.Fatal("the modem did not say where it is")
	}
	return line.FindStringSubmatch(out.String())[1]
}

func expectAnswers(t *testing.T, from io.Reader, want ...string) {
	t.Helper()
	in := bufio.NewReader(from)
	for _, line := range want {
		if got, err := in.ReadString('\n'); err != nil || got != line+"\r\n" {
			t.Fatalf("got %q, %v, want %q", got, err, line)
		}
	}
}

func TestModemOnTCP(t *testing.T) {
	t.Parallel()
	address := startModem(t, "tcp (.*)", "--tcp", "localhost:0", "--speed", "1000", "--temperature", "-3.25", "--voltage", "2.9")
	for range 2 { // a second line after the first has ended, and one beside it
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := io.WriteString(conn, "+++AT$SF=41C8CCCD\rAT$T?\rAT$V?\rAT$SF=41C8CCCD,1\rAT$SF=4\r"); err != nil {
			t.Fatal(err)
		}
		expectAnswers(t, conn, "OK", "OK", "-33", "OK", "2900", "OK", "OK", "+RX BEGIN", "+RX END", "ERROR")
	}
}

func TestModemOnTCPHasRoomForEverybodyInTurn(t *testing.T) {
	t.Parallel()
	address := startModem(t, "tcp (.*)", "--tcp", "127.0.0.1:0")
	for range 3 * modemLines {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "AT\r"); err != nil {
			t.Fatal(err)
		}
		expectAnswers(t, conn, "OK")
		_ = conn.Close()
	}
}

func TestModemThatCannotListen(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if _, err := listenModem(t.Context(), &modemOptions{tcp: l.Addr().String()}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
	anywhere, err := listenModem(t.Context(), &modemOptions{tcp: ":0", tcpAnywhere: true})
	if err != nil {
		t.Fatal(err)
	}
	_ = anywhere.Close()
}
