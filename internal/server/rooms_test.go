package server_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/thingwire/thingwire"

// room is one of our packages, which of our packages it may import outside tests, and why no others.
type room struct {
	name string
	may  []string
	why  string
}

// rooms is the house. A new edge is a change to this table; the reason is what the author of a forbidden import reads.
var rooms = []room{
	{"internal/fault", nil, "fault is a leaf: every room speaks of errors with it"},
	{"internal/mqtt", []string{"internal/fault"}, "mqtt is knowledge of the wire: bytes to packets and back, nothing about sessions or permissions"},
	{"internal/topic", []string{"internal/fault"}, "topic is knowledge of names and filters: it does not know what a session is"},
	{"internal/policy", []string{"internal/fault"}, "policy is knowledge of documents: what it needs to know of a connection is handed to it"},
	{"internal/sigfox/payload", []string{"internal/fault"}, "payload is knowledge of a grammar: it knows fields and bits, nothing of devices and callbacks"},
	{"internal/sigfox/modem", nil, "modem knows a serial line and a radio that is handed to it: not where the line ends nor what a backend is"},
	{
		"internal/sigfox/template",
		[]string{"internal/fault", "internal/sigfox/payload"},
		"template is knowledge of texts with variables: it renders them, it neither sends nor knows where values come from",
	},
	{"internal/sigv4", []string{"internal/fault"}, "sigv4 is knowledge of signatures: it asks a function for the secret of a key id"},
	{"internal/store", []string{"internal/fault"}, "store is a contract: it knows nothing of topics, packets or policies"},
	{"internal/store/mem", []string{"internal/fault", "internal/store"}, "a driver knows the contract and nothing else"},
	{"internal/store/pebble", []string{"internal/fault", "internal/store"}, "a driver knows the contract and nothing else"},
	{"internal/store/storetest", []string{"internal/fault", "internal/store"}, "the suite tests the contract, not a driver"},
	{"internal/store/documents", []string{"internal/fault", "internal/store"}, "documents are JSON on the contract: it knows no driver, and not what the documents say"},
	{"internal/registry", []string{"internal/fault", "internal/policy", "internal/store", "internal/store/documents"}, "registry knows neither HTTP nor MQTT: it answers whose certificate this is"},
	{"internal/iam", []string{"internal/fault", "internal/policy", "internal/store", "internal/store/documents"}, "iam answers whose key this is: it neither verifies signatures nor decides what their owners may do"},
	{"internal/cloudformation", []string{"internal/fault", "internal/iam", "internal/store", "internal/store/documents"}, "cloudformation makes roles and policies of templates: it knows no HTTP, and iam knows no stacks"},
	{"internal/journal", []string{"internal/fault"}, "journal remembers words: it knows no packets, sessions or policies"},
	{
		"internal/broker",
		[]string{"internal/fault", "internal/journal", "internal/policy", "internal/store", "internal/store/documents", "internal/topic"},
		"broker knows messages, not packets (mqtt), and is handed callers whose policies are compiled (registry)",
	},
	{
		"internal/sigfox/backend",
		[]string{
			"internal/fault", "internal/journal", "internal/sigfox/delivery", "internal/sigfox/payload", "internal/sigfox/template",
			"internal/store", "internal/store/documents",
		},
		"backend is Sigfox's durable state and what drives it: it is handed a sender, and knows neither HTTP nor MQTT",
	},
	{
		"internal/awsapi",
		[]string{"internal/fault", "internal/iam", "internal/policy", "internal/sigv4"},
		"awsapi is the wire that HTTP doors share: it knows who signed and how answers look, not what is asked",
	},
	{
		"internal/gateway",
		[]string{"internal/awsapi", "internal/broker", "internal/fault", "internal/iam", "internal/journal", "internal/mqtt", "internal/policy", "internal/registry", "internal/topic"},
		"gateway is a door: it authenticates and translates, it neither decides permissions nor touches the store",
	},
	{
		"internal/control",
		[]string{"internal/awsapi", "internal/broker", "internal/cloudformation", "internal/fault", "internal/iam", "internal/policy", "internal/registry", "internal/sigv4"},
		"control is a door: it decodes, calls, encodes; a rule of the domain belongs to registry or broker",
	},
	{
		"internal/dataplane",
		[]string{"internal/awsapi", "internal/broker", "internal/fault", "internal/journal", "internal/policy", "internal/topic"},
		"dataplane is a door: it decodes requests of iot-data, calls the broker and encodes; it sees no packets and no sockets",
	},
	{
		"internal/sigfox/delivery",
		[]string{"internal/fault", "internal/sigv4"},
		"delivery sends what is rendered and says what became of it: it knows no devices, templates, stores or retries",
	},
	{
		"internal/sigfox/receive",
		[]string{
			"internal/broker", "internal/fault", "internal/journal", "internal/policy", "internal/sigfox/payload", "internal/sigfox/template",
			"internal/store", "internal/store/documents",
		},
		"receive is a door: it takes callbacks of a real Sigfox backend to the broker, and knows nothing of the one beside it",
	},
	{
		"internal/sigfox/rest",
		[]string{"internal/awsapi", "internal/fault", "internal/iam", "internal/sigfox/backend"},
		"rest is a door: it decodes, calls, encodes; a rule of Sigfox's belongs to the backend",
	},
	{"internal/server", []string{"internal/..."}, "server builds the rooms and runs them; it may see all of internal and nothing public"},
	{"device", nil, "device is for programs on devices: it knows nothing of the server and so is an honest witness of it"},
	{"device/sensor", nil, "a sensor knows nothing of the server"},
	{
		"cmd/thingwire",
		[]string{"device", "device/sensor", "internal/fault", "internal/server", "internal/sigfox/modem", "internal/sigfox/payload", "internal/sigv4"},
		"a verb is a thin client: it talks to a server, in this process or another, through its doors, and signs as AWS's tools do; a modem is a device",
	},
	{
		"thingwiretest",
		[]string{"internal/journal", "internal/policy", "internal/registry", "internal/server"},
		"thingwiretest runs a server inside a test, asks its registry for things and its journal why; it shows none of them",
	},
}

// wall is a package that is not ours, and which of our packages alone may import it, and why.
type wall struct {
	pkg  string
	only []string
	why  string
}

// hides reports whether imported lies behind the wall: the package itself, and of a module also what is below it.
func (w wall) hides(imported string) bool {
	isModule := strings.Contains(w.pkg, ".")
	return imported == w.pkg || isModule && strings.HasPrefix(imported, w.pkg+"/")
}

// walls stand outside tests only.
var walls = []wall{
	{"github.com/cockroachdb/pebble", []string{"internal/store/pebble"}, "pebble stays behind the store's contract, so that another driver can take its place"},
	{"github.com/spf13", []string{"cmd/thingwire"}, "the command line is cmd's business; rooms get values"},
	{"github.com/eclipse/paho.golang", []string{"device", "cmd/thingwire"}, "paho stays behind device.Client; the server has its own wire"},
	{"github.com/gobwas/ws", []string{"internal/gateway", "device"}, "only the two ends of a connection know WebSocket frames"},
	{"github.com/coder/websocket", nil, "its connections flush once per frame, which defeats batches"},
	{"github.com/gorilla/websocket", nil, "its connections flush once per frame, which defeats batches"},
	{"golang.org/x/sys", []string{"cmd/thingwire"}, "only the command opens a pseudo-terminal"},
	{"github.com/prometheus", []string{"internal/server"}, "rooms count with atomic integers; server makes metrics of them"},
	{"github.com/aws", nil, "the AWS SDK is for tests: an oracle is only one while the product does not stand on it"},
	{"go.yaml.in/yaml", []string{"internal/server", "internal/cloudformation"}, "configuration is decoded at one place, and templates at another"},
	{"github.com/google/go-cmp", []string{"internal/store/storetest"}, "go-cmp panics on what it does not know: it is for tests"},
	{"pgregory.net/rapid", []string{"internal/store/storetest"}, "rapid is for tests"},
	{"testing", []string{"internal/store/storetest", "thingwiretest"}, "testing in a binary drags its flags along"},
	{
		"net/http",
		[]string{"internal/sigv4", "internal/awsapi", "internal/gateway", "internal/control", "internal/dataplane", "internal/sigfox/delivery", "internal/sigfox/receive", "internal/sigfox/rest", "internal/server", "cmd/thingwire", "device", "thingwiretest"},
		"HTTP ends at the doors; callbacks leave by one of them",
	},
	{
		"crypto/tls",
		[]string{"internal/registry", "internal/gateway", "internal/control", "internal/sigfox/delivery", "internal/server", "cmd/thingwire", "device", "thingwiretest"},
		"TLS ends at the doors; the registry makes the certificates they show",
	},
	{
		"os",
		[]string{"internal/iam", "internal/journal", "internal/registry", "internal/store/pebble", "internal/gateway", "internal/control", "internal/server", "cmd/thingwire", "device", "device/sensor", "thingwiretest"},
		"knowledge and the heart touch no files; what they need is handed to them",
	},
}

// listed is what go list says of a package.
type listed struct {
	ImportPath string
	Dir        string
	Imports    []string
	GoFiles    []string
}

func TestRoomsImportOnlyWhatTheyMay(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		row := slices.IndexFunc(rooms, func(r room) bool { return r.name == name })
		if row < 0 {
			t.Errorf("%s has no row in the table of rooms: add one, with what it may import and why", name)
			continue
		}
		for _, imported := range p.Imports {
			ours, ok := strings.CutPrefix(imported, module+"/")
			if ok && !slices.ContainsFunc(rooms[row].may, func(m string) bool { return covers(m, ours) }) {
				t.Errorf("%s imports %s, which it may not: %s", name, ours, rooms[row].why)
			}
		}
	}
}

func TestWallsAroundForeignPackages(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, wall := range walls {
			if slices.Contains(wall.only, name) {
				continue
			}
			for _, imported := range p.Imports {
				if wall.hides(imported) {
					t.Errorf("%s imports %s, which only %v may: %s", name, imported, wall.only, wall.why)
				}
			}
		}
	}
}

// Every package says once what it is, in doc.go; a command in main.go, where its usage is.
func TestEveryPackageHasOneComment(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		var found []string
		var name string
		for _, file := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			name = f.Name.Name
			if f.Doc != nil {
				found = append(found, file)
			}
		}
		want := "doc.go"
		if name == "main" {
			want = "main.go"
		}
		if !slices.Equal(found, []string{want}) {
			t.Errorf("%s: the package comment is in %v, want it in %s alone", p.ImportPath, found, want)
		}
	}
}

// A test that skips proves nothing and a test that sleeps in real time proves it late: inside a synctest bubble sleeping
// is free, elsewhere a test waits for an event.
func TestTestsNeitherSkipNorSleep(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		files, err := filepath.Glob(filepath.Join(p.Dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for _, call := range forbiddenCalls(t, file) {
				t.Errorf("%s calls %s", path.Join(p.ImportPath, filepath.Base(file)), call)
			}
		}
	}
}

// forbiddenCalls finds calls of Skip, SkipNow and Skipf on anything, and of time.Sleep in a file without synctest.
func forbiddenCalls(t *testing.T, file string) []string {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	bubble := slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing/synctest"` })
	forbidden := map[string]bool{"t.Skip": true, "t.SkipNow": true, "t.Skipf": true, "b.Skip": true, "f.Skip": true, "time.Sleep": !bubble}
	found := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && forbidden[x.Name+"."+sel.Sel.Name] {
				found[x.Name+"."+sel.Sel.Name] = true
			}
		}
		return true
	})
	return slices.Sorted(maps.Keys(found))
}

// covers reports whether a pattern of the table, a path or a path with /..., covers pkg.
func covers(pattern, pkg string) bool {
	if below, ok := strings.CutSuffix(pattern, "/..."); ok {
		return strings.HasPrefix(pkg, below+"/")
	}
	return pattern == pkg
}

// packages asks the go command for every package of the module.
func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Dir,Imports,GoFiles", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 { // a folder of tests alone is no room
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		t.Fatal("go list found no packages")
	}
	return all
}
