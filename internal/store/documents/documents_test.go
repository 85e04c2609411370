package documents_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
	"github.com/thingwire/thingwire/internal/store/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type lamp struct {
	Colour string `json:"colour"`
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	s := mem.New()
	defer s.Close() //nolint:errcheck // a store in memory
	if _, _, err := documents.Load[lamp](t.Context(), s, "lamps", "a"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a document that is not there: %v", err)
	}
	first := documents.Put("lamps", "a", lamp{"red"}, documents.Absent)
	if err := documents.Commit(s, first, documents.Mark("marks", "x")); err != nil {
		t.Fatal(err)
	}
	if err := documents.Commit(s, first); !fault.Is(err, fault.Conflict) {
		t.Errorf("the second first writer: %v", err)
	}
	got, rev, err := documents.Load[lamp](t.Context(), s, "lamps", "a")
	if err != nil || got.Colour != "red" || rev != 1 {
		t.Errorf("%+v, revision %d, %v", got, rev, err)
	}
	if err := documents.Commit(s, documents.Remove("lamps", "a", documents.AtRev(rev+1))); !fault.Is(err, fault.Conflict) {
		t.Errorf("removed at another revision: %v", err)
	}
	if err := documents.Commit(s, documents.Remove("lamps", "a", documents.AtRev(rev))); err != nil {
		t.Error(err)
	}
	if _, err := documents.Decode[lamp]("lamps", store.Doc{Key: "b", Value: []byte("[")}); !fault.Is(err, fault.Internal) {
		t.Errorf("a damaged document: %v", err)
	}
}

// Each change that matters is told once, to all who listen, on a goroutine that may read what was written.
func TestNews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := mem.New()
		defer s.Close() //nolint:errcheck // a store in memory
		var mu sync.Mutex
		var told []string
		n := documents.OpenNews(func(key string, tell func(string)) {
			if d, _, err := documents.Load[lamp](t.Context(), s, "lamps", key); err == nil {
				tell(key + " " + d.Colour)
				tell(key + " again")
			}
		})
		n.Watch(s, "lamps", func(key string) string { return key })
		write := func(key, colour string) {
			if err := documents.Commit(s, documents.Put("lamps", key, lamp{colour}, store.Condition{})); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		hear := func(word string) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, word)
		}
		write("a", "red") // nobody listens
		stop := n.OnChange(hear)
		write("a", "green")
		write("b", "blue")
		stop()
		write("b", "white")
		if want := []string{"a green", "a again", "b blue", "b again"}; !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
		n.Close()
		if !n.Closed() {
			t.Error("it is not closed")
		}
	})
}

// While a listener is busy, what changes twice waits once.
func TestNewsJoinsWhatChangesTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := mem.New()
		defer s.Close() //nolint:errcheck // a store in memory
		n := documents.OpenNews(func(key string, tell func(string)) { tell(key) })
		defer n.Close()
		n.Watch(s, "lamps", func(key string) string { return key })
		busy := make(chan struct{})
		var told []string
		n.OnChange(func(key string) {
			told = append(told, key)
			<-busy
		})
		for _, key := range []string{"first", "a", "b", "a", "a"} {
			if err := documents.Commit(s, documents.Mark("lamps", key)); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		close(busy)
		synctest.Wait()
		if want := []string{"first", "a", "b"}; !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}

// A list ends with the first document that cannot be read, and may be left before.
func TestList(t *testing.T) {
	t.Parallel()
	s := mem.New()
	defer s.Close() //nolint:errcheck // in memory
	ops := []store.DocOp{
		documents.Put("lamps", "a/1", lamp{"red"}, store.Condition{}),
		documents.Put("lamps", "a/2", lamp{"green"}, store.Condition{}),
		{Bucket: "lamps", Key: "a/3", Value: []byte("{")},
		documents.Put("lamps", "a/4", lamp{"blue"}, store.Condition{}),
	}
	if err := documents.Commit(s, ops...); err != nil {
		t.Fatal(err)
	}
	var read []string
	var failed error
	for l, err := range documents.List[lamp](t.Context(), s, "lamps", "a/", "", 0) {
		if err != nil {
			failed = err
			continue
		}
		read = append(read, l.Colour)
	}
	if !slices.Equal(read, []string{"red", "green"}) || !fault.Is(failed, fault.Internal) {
		t.Errorf("read %v, then %v", read, failed)
	}
	for l, err := range documents.List[lamp](t.Context(), s, "lamps", "a/", "a/1", 0) {
		if err != nil || l.Colour != "green" {
			t.Errorf("behind the first is %+v, %v", l, err)
		}
		break
	}
}
