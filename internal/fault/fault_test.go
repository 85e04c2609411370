package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
)

func TestErrorIsOneLineOfCauseAndRemedy(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{fault.New(fault.NotFound, "no thing %q", "lamp"), `no thing "lamp"`},
		{fault.New(fault.Invalid, "no name").WithRemedy("give one of %d letters", 3), "no name; give one of 3 letters"},
		{fault.Wrap(fault.Unavailable, io.ErrShortWrite, "store failed"), "store failed: short write"},
		{
			fault.Wrap(fault.Unavailable, io.ErrShortWrite, "store failed").WithRemedy("look at the disk"),
			"store failed: short write; look at the disk",
		},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestKindIsThatOfTheOutermostError(t *testing.T) {
	inner := fault.New(fault.Conflict, "changed meanwhile")
	for _, c := range []struct {
		err  error
		want fault.Kind
	}{
		{nil, fault.Internal},
		{io.EOF, fault.Internal},
		{inner, fault.Conflict},
		{fmt.Errorf("thing lamp: %w", inner), fault.Conflict},
		{fault.Wrap(fault.Unavailable, inner, "later"), fault.Unavailable},
	} {
		if got := fault.KindOf(c.err); got != c.want {
			t.Errorf("%v is %s, want %s", c.err, got, c.want)
		}
	}
	if fault.Is(nil, fault.Internal) {
		t.Error("no error is of no kind")
	}
	if !errors.Is(fault.Wrap(fault.Internal, io.EOF, "read"), io.EOF) {
		t.Error("what lies below is not found")
	}
}

func TestEveryKindHasAName(t *testing.T) {
	for k := fault.Internal; k <= fault.Unsupported; k++ {
		if name := k.String(); name == "" || name[len(name)-1] == ')' {
			t.Errorf("kind %d has no name", k)
		}
	}
	if got := fault.Kind(200).String(); got != "kind(200)" {
		t.Errorf("got %q", got)
	}
}
