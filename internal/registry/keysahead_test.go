package registry

import (
	"context"
	"crypto/rsa"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Keys are made ahead once the first was asked for, as many as there is room for, one in each idle moment, and handed out
// once each.
func TestKeysAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		made, idle := 0, make(chan bool)
		k := openKeysAhead(3, func() (*rsa.PrivateKey, error) {
			made++
			return &rsa.PrivateKey{PublicKey: rsa.PublicKey{E: made}}, nil
		}, func(ctx context.Context) bool {
			select {
			case <-idle:
				return true
			case <-ctx.Done():
				return false
			}
		})
		defer k.Close()
		take := func(want int) {
			t.Helper()
			if key, err := k.take(); err != nil || key.E != want {
				t.Errorf("key %v, %v, want key %d", key, err, want)
			}
			synctest.Wait()
		}
		synctest.Wait()
		if made != 0 {
			t.Errorf("%d keys before one was asked for", made)
		}
		take(1)
		take(2) // nothing is idle: it is made for the asking
		for range 3 {
			idle <- true
			synctest.Wait()
		}
		select {
		case idle <- true:
			t.Error("it makes more than there is room for")
		default:
		}
		for want := 3; want <= 5; want++ {
			take(want)
		}
		take(6)
	})
}

// A failure is told to who asks, and the next one who asks has it tried again.
func TestKeysAheadThatFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("no entropy")
		err := broken
		k := openKeysAhead(1, func() (*rsa.PrivateKey, error) { return &rsa.PrivateKey{}, err }, func(context.Context) bool { return true })
		defer k.Close()
		if _, got := k.take(); !errors.Is(got, broken) {
			t.Errorf("got %v", got)
		}
		synctest.Wait()
		if err = nil; len(k.ready) != 0 {
			t.Error("a key that could not be made is ready")
		}
		if _, got := k.take(); got != nil {
			t.Error(got)
		}
		synctest.Wait()
		if len(k.ready) != 1 {
			t.Error("no key is made ahead after a failure")
		}
	})
}

// While the process works it is not idle; when it rests it is, and the end of the context ends the wait.
func TestProcessIdle(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	if processIdle(ended) {
		t.Error("idle after the end")
	}
	before := processorTime()
	if before == 0 {
		t.Fatal("the system does not tell the processor's time")
	}
	for start := time.Now(); processorTime()-before < idleLook/idleShare; {
		if time.Since(start) > 10*time.Second {
			t.Fatal("a busy loop used no processor")
		}
	}
}

// What CreateKeysAndCertificate gives is a pair for the certificate, made ahead or not, and never twice the same.
func TestKeysAheadAreUsedOnce(t *testing.T) {
	t.Parallel()
	r, err := Open(t.Context(), Config{Store: newStore(t), Authority: testAuthority(), KeysAhead: 1})
	must(t, err)
	defer r.Close()
	seen := map[string]bool{}
	for range 3 {
		k, err := r.CreateKeysAndCertificate(t.Context(), true)
		must(t, err)
		seen[k.PrivateKeyPEM] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d different keys of 3", len(seen))
	}
}
