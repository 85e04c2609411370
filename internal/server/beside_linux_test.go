package server

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
)

// besideRate is how many requests per second there are beside MQTT.
const besideRate = 1000

// BenchmarkPublishBesideControlPlane publishes at QoS 1 as fast as it goes, to a client that is there and to the stored
// session of one that is away, alone and beside 1,000 requests per second that create things, each synced. The requests
// alone say what share of the two cores they take, their client included; MQTT is to lose that share and no more: what a
// message costs of the processor, without what the requests cost, stays the same.
func BenchmarkPublishBesideControlPlane(b *testing.B) {
	cfg := quiet(b)
	cfg.Listen.API, cfg.Listen.MQTT = "127.0.0.1:0", "127.0.0.1:0"
	s, _ := begin(b, cfg)
	o := operatorOf(b, s)
	var perRequest time.Duration // of processor, when there are requests alone
	measure := func(b *testing.B, stored, beside bool) {
		b.Helper()
		stop := func() int { return 0 }
		if beside {
			stop = o.paced("beside")
		}
		before := usedProcessor(b)
		publishMany(b, s.Addr("mqtt"), stored)
		requests := stop()
		used := usedProcessor(b) - before - time.Duration(requests)*perRequest
		b.ReportMetric(float64(requests)/b.Elapsed().Seconds(), "requests/s")
		b.ReportMetric(float64(used)/float64(b.N), "mqtt-cpu-ns/message")
	}
	b.Run("requests alone", func(b *testing.B) {
		before := usedProcessor(b)
		stop := o.paced("alone")
		second := time.NewTicker(time.Second)
		defer second.Stop()
		for range b.N {
			<-second.C
		}
		n := stop()
		used := usedProcessor(b) - before
		perRequest = used / time.Duration(n)
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "requests/s")
		b.ReportMetric(used.Seconds()/b.Elapsed().Seconds(), "cores")
	})
	b.Run("MQTT alone", func(b *testing.B) { measure(b, false, false) })
	b.Run("MQTT beside requests", func(b *testing.B) { measure(b, false, true) })
	b.Run("MQTT to a stored session alone", func(b *testing.B) { measure(b, true, false) })
	b.Run("MQTT to a stored session beside requests", func(b *testing.B) { measure(b, true, true) })
}

// paced creates things at besideRate until it is stopped, and says then how many.
func (o *operator) paced(prefix string) (stop func() int) {
	end := make(chan struct{})
	var all sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for range benchConnections {
		all.Go(func() {
			tick := time.NewTicker(time.Second * benchConnections / besideRate)
			defer tick.Stop()
			for {
				select {
				case <-end:
					return
				case <-tick.C:
				}
				mu.Lock()
				made++
				name := fmt.Sprintf("/things/%s-%d-%d", prefix, time.Now().UnixNano(), made)
				mu.Unlock()
				o.ask("POST", name, "{}")
			}
		})
	}
	return func() int {
		close(end)
		all.Wait()
		return made
	}
}

func usedProcessor(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// publishMany publishes b.N messages of 100 bytes at QoS 1 from 10 clients with 100 in flight each, to a client that has
// subscribed to all of them; with stored its session is one that stays, and it is away. A session holds 1,000,000 messages.
func publishMany(b *testing.B, addr string, stored bool) {
	b.Helper()
	const publishers, window = 10, 100
	id := uuid.NewString()[:8] // of the receiver, and the topic of this run
	receiver := mqttDial(b, addr, id, !stored)
	qos := byte(0)
	if stored {
		qos = 1
	}
	topic := append([]byte{0, byte(len(id))}, id...)
	subscribe := append(append([]byte{0x82, byte(2 + len(topic) + 1), 0, 1}, topic...), qos)
	mqttSend(b, receiver, subscribe, 5) // SUBACK
	if stored {
		mqttSend(b, receiver, []byte{0xE0, 0}, 0) // DISCONNECT
	}
	var listening sync.WaitGroup
	listening.Go(func() { _, _ = io.Copy(io.Discard, receiver) })
	body := append(append(topic, 0, 1), make([]byte, 100)...) // packet id, payload
	packet := append([]byte{0x32, byte(len(body))}, body...)
	batch := bytes.Repeat(packet, window)
	for i := range window {
		binary.BigEndian.PutUint16(batch[i*len(packet)+2+len(topic):], uint16(i+1))
	}
	conns := make([]net.Conn, publishers)
	for i := range conns {
		conns[i] = mqttDial(b, addr, fmt.Sprint("publisher-", i), true)
	}
	b.ResetTimer()
	var all sync.WaitGroup
	for _, conn := range conns {
		all.Go(func() {
			for range (b.N/publishers + window - 1) / window {
				mqttSend(b, conn, batch, window*4) // PUBACKs
			}
		})
	}
	all.Wait()
	b.StopTimer()
	for _, conn := range append(conns, receiver) {
		_ = conn.Close()
	}
	listening.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func mqttDial(tb testing.TB, addr, id string, clean bool) net.Conn {
	tb.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	flags := byte(0)
	if clean {
		flags = 2
	}
	packet := append([]byte{0x10, byte(12 + len(id)), 0, 4, 'M', 'Q', 'T', 'T', 4, flags, 0, 60, 0, byte(len(id))}, id...)
	mqttSend(tb, conn, packet, 4) // CONNACK
	return conn
}

// mqttSend writes packets and reads so many bytes of the answers.
func mqttSend(tb testing.TB, conn net.Conn, packets []byte, answer int) {
	if _, err := conn.Write(packets); err != nil {
		tb.Error(err)
		return
	}
	if _, err := io.ReadFull(conn, make([]byte, answer)); err != nil {
		tb.Error(err)
	}
}
