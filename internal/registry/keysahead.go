package registry

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"sync"
	"time"
)

// keysAhead makes RSA keys before somebody asks for one: a key costs a core 50 ms and more, every other
// call a millisecond or less. It makes none before the first is asked for, few at a time, and only while the process has
// nothing else to do, so that neither a server that hands out no keys nor one that is busy pays for it. What it has made
// is in memory alone, and gone with the process.
type keysAhead struct {
	ready  chan *rsa.PrivateKey
	wanted chan struct{}
	make   func() (*rsa.PrivateKey, error)
	idle   func(context.Context) bool // waits for an idle moment; false when the context ends before

	cancel  context.CancelFunc
	running sync.WaitGroup
}

// openKeysAhead begins to keep n keys ready; 0 makes each when it is asked for. Close ends it.
func openKeysAhead(n int, makeKey func() (*rsa.PrivateKey, error), idle func(context.Context) bool) *keysAhead {
	k := &keysAhead{ready: make(chan *rsa.PrivateKey, n), wanted: make(chan struct{}, 1), make: makeKey, idle: idle, cancel: func() {}}
	if n == 0 {
		return k
	}
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	k.running.Go(func() { k.run(ctx) })
	return k
}

// Close waits for a key that is being made.
func (k *keysAhead) Close() {
	k.cancel()
	k.running.Wait()
}

// take gives a key that is ready, or makes one.
func (k *keysAhead) take() (*rsa.PrivateKey, error) {
	defer k.want()
	select {
	case key := <-k.ready:
		return key, nil
	default:
		return k.make()
	}
}

func (k *keysAhead) want() {
	select {
	case k.wanted <- struct{}{}:
	default:
	}
}

func (k *keysAhead) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.wanted:
		}
		for len(k.ready) < cap(k.ready) {
			if !k.idle(ctx) {
				return
			}
			key, err := k.make()
			if err != nil {
				break // whoever asks for one learns of it
			}
			k.ready <- key // it is the only one who puts some in
		}
	}
}

func makeDeviceKey() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, deviceKeyBits) }

const (
	idleLook  = 100 * time.Millisecond
	idleShare = 4 // a quarter of a core, over idleLook, is idle
)

// processIdle waits until the process has used little of the processor for a while. Where the system does not tell, it
// waits that while, which leaves at least half a core to others.
func processIdle(ctx context.Context) bool {
	look := time.NewTicker(idleLook)
	defer look.Stop()
	for {
		before := processorTime()
		select {
		case <-ctx.Done():
			return false
		case <-look.C:
		}
		if processorTime()-before < idleLook/idleShare {
			return true
		}
	}
}
