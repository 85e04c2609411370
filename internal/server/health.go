package server

import (
	"net/http"
	"sync/atomic"
)

// phase is how far a server has come.
type phase int32

const (
	starting phase = iota
	serving
	stopping
)

// health answers the two questions of whoever looks after the process: is it alive, and should it be given work.
type health struct{ phase atomic.Int32 }

func (h *health) set(p phase) { h.phase.Store(int32(p)) }

// readiness is one word, and whether it is the good one.
func (r *rooms) readiness() (word string, ready bool) {
	switch phase(r.health.phase.Load()) {
	case starting:
		return "starting", false
	case stopping:
		return "stopping", false
	case serving:
	}
	if r.store.Degraded() != nil {
		return "degraded", false
	}
	return "ready", true
}

// alive answers /healthz: whoever can answer is alive.
func (r *rooms) alive(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") }

// ready answers /readyz.
func (r *rooms) ready(w http.ResponseWriter, _ *http.Request) {
	word, ready := r.readiness()
	if !ready {
		say(w, http.StatusServiceUnavailable, word)
		return
	}
	say(w, http.StatusOK, word)
}

func say(w http.ResponseWriter, status int, word string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(word + "\n")) // the client went away
}
