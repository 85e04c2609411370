package broker

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestAlarmsRingInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAlarms()
		defer a.close()
		start := time.Now()
		type ring struct {
			name  string
			after time.Duration
		}
		var rung []ring
		set := func(name string, d time.Duration) *alarm {
			al := &alarm{call: func() { rung = append(rung, ring{name, time.Since(start)}) }}
			a.set(al, d)
			return al
		}
		set("late", 3*time.Hour)
		set("never", 2*time.Hour)
		cancelled := set("cancelled", time.Minute)
		set("soon", time.Second)
		a.cancel(cancelled)
		a.cancel(cancelled) // again: nothing happens
		never := set("never", time.Hour)
		time.Sleep(30 * time.Minute)
		set("now", 0)
		set("past", -time.Second)
		synctest.Wait()
		a.cancel(never)
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		a.cancel(never)
		want := []ring{
			{"soon", time.Second},
			{"past", 30 * time.Minute}, // it should have rung before
			{"now", 30 * time.Minute},
			{"never", 2 * time.Hour},
			{"late", 3 * time.Hour},
		}
		if len(rung) != len(want) {
			t.Fatalf("rang %v, want %v", rung, want)
		}
		for i := range want {
			if rung[i] != want[i] {
				t.Errorf("%d rang %v, want %v", i, rung[i], want[i])
			}
		}
	})
}

// After close nothing rings, and setting an alarm is harmless.
func TestAlarmsAreSilentAfterClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAlarms()
		a.set(&alarm{call: func() { t.Error("rang") }}, time.Second)
		a.close()
		a.close()
		a.set(&alarm{call: func() { t.Error("rang") }}, 0)
		time.Sleep(time.Hour)
	})
}

// TestAlarmsAgainstTheClock sets and cancels at random: each alarm that was not cancelled rings once, at its time.
func TestAlarmsAgainstTheClock(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		delays := rapid.SliceOfN(rapid.IntRange(0, 20), 1, 20).Draw(rt, "delays")
		cancels := rapid.SliceOfN(rapid.IntRange(0, 40), len(delays), len(delays)).Draw(rt, "cancelled after")
		inBubble(t, func(*testing.T) {
			a := newAlarms()
			defer a.close()
			start := time.Now()
			rang := make([]int, len(delays))
			all := make([]*alarm, len(delays))
			for i, d := range delays {
				all[i] = &alarm{call: func() {
					if rang[i]++; time.Since(start) != time.Duration(d)*time.Second {
						rt.Errorf("alarm %d for %d s rang after %v", i, d, time.Since(start))
					}
				}}
				a.set(all[i], time.Duration(d)*time.Second)
			}
			for now := range 41 {
				synctest.Wait()
				for i := range all {
					if cancels[i] == now {
						a.cancel(all[i])
					}
				}
				time.Sleep(time.Second)
			}
			for i, d := range delays {
				want := 1
				if cancels[i] < d {
					want = 0
				}
				if rang[i] != want {
					rt.Errorf("alarm for %d s, cancelled after %d s, rang %d times", d, cancels[i], rang[i])
				}
			}
		})
	})
}
