package broker

import (
	"container/heap"
	"sync"
	"time"
)

// alarms calls functions at times, from one goroutine with one timer, however many sessions wait to expire.
type alarms struct {
	mu    sync.Mutex
	queue alarmHeap
	wake  chan struct{}
	done  chan struct{}
	quit  chan struct{}
	over  bool
}

// alarm is one function to call; index is -1 when it is no longer waiting.
type alarm struct {
	at    time.Time
	call  func()
	index int
}

func newAlarms() *alarms {
	a := &alarms{wake: make(chan struct{}, 1), done: make(chan struct{}), quit: make(chan struct{})}
	go a.run()
	return a
}

// set makes an alarm ring once d has passed, on the alarms' goroutine: what it calls must be short.
func (a *alarms) set(al *alarm, d time.Duration) {
	al.at = time.Now().Add(d)
	a.mu.Lock()
	heap.Push(&a.queue, al)
	first := a.queue[0] == al
	a.mu.Unlock()
	if first {
		select {
		case a.wake <- struct{}{}:
		default:
		}
	}
}

// cancel stops an alarm that has not rung yet.
func (a *alarms) cancel(al *alarm) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if al.index >= 0 {
		heap.Remove(&a.queue, al.index)
	}
}

func (a *alarms) run() {
	defer close(a.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		call, wait := a.next()
		if call != nil {
			call()
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-a.wake:
		case <-a.quit:
			return
		}
	}
}

// next takes an alarm that is due, or says how long to wait.
func (a *alarms) next() (call func(), wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == 0 || a.over {
		return nil, time.Hour
	}
	if wait = time.Until(a.queue[0].at); wait > 0 {
		return nil, wait
	}
	al, _ := heap.Pop(&a.queue).(*alarm)
	return al.call, 0
}

// close ends the goroutine and waits for it; alarms that wait never ring.
func (a *alarms) close() {
	a.mu.Lock()
	if a.over {
		a.mu.Unlock()
		return
	}
	a.over = true
	a.mu.Unlock()
	close(a.quit)
	<-a.done
}

type alarmHeap []*alarm

func (h alarmHeap) Len() int           { return len(h) }
func (h alarmHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }

func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push and Pop are for container/heap.
func (h *alarmHeap) Push(x any) {
	al, _ := x.(*alarm)
	al.index = len(*h)
	*h = append(*h, al)
}

func (h *alarmHeap) Pop() any {
	old := *h
	al := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	al.index = -1
	return al
}
