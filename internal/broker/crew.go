package broker

import "sync"

// crew runs goroutines that Close waits for.
type crew struct {
	mu   sync.Mutex
	over bool
	wg   sync.WaitGroup
}

// start runs fn on a goroutine; false says that it is too late for that.
func (w *crew) start(fn func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return false
	}
	w.wg.Go(fn)
	return true
}

func (w *crew) close() {
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	w.wg.Wait()
}
