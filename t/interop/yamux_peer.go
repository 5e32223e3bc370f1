// A peer whose streams are HashiCorp's yamux: what this project's own mux is
// checked against.  The WebSocket and the events around it are written out.
//
//	yamux_peer client ADDRESS TOKEN   a TCP tunnel's client; serves commands
//	yamux_peer edge ADDRESS           an edge for one client; runs its tests
//
// A stream begins with a line: echo, collect, source N, greet, hold, go away.
// This library reads no more once it has closed its own direction, so the edge
// asks with lengths: echo, collect N, source N, greet, hold, reset.
package main

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/yamux"
)

const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

var signature = []byte("\r\n\r\n\x00\r\nQUIT\n")

// A WebSocket as a byte stream: messages of either side joined.
type socket struct {
	net.Conn
	in     *bufio.Reader
	client bool
	left   uint64 // of the frame being read
	mask   [4]byte
	masked bool
	at     int
	write  sync.Mutex
	op     byte
	fin    bool
}

func (s *socket) writeFrame(op byte, data []byte) error {
	var frame bytes.Buffer
	var bit byte

	if s.client {
		bit = 0x80
	}

	frame.WriteByte(0x80 | op)

	switch n := len(data); {
	case n < 126:
		frame.WriteByte(bit | byte(n))
	case n < 65536:
		frame.WriteByte(bit | 126)
		binary.Write(&frame, binary.BigEndian, uint16(n))
	default:
		frame.WriteByte(bit | 127)
		binary.Write(&frame, binary.BigEndian, uint64(n))
	}

	if s.client {
		var key [4]byte
		rand.Read(key[:])
		frame.Write(key[:])

		for i, b := range data {
			frame.WriteByte(b ^ key[i&3])
		}
	} else {
		frame.Write(data)
	}

	s.write.Lock()
	defer s.write.Unlock()

	_, err := s.Conn.Write(frame.Bytes())
	return err
}

// The header of the next frame that carries data.
func (s *socket) next() error {
	for {
		var head [2]byte

		if _, err := io.ReadFull(s.in, head[:]); err != nil {
			return err
		}

		s.left = uint64(head[1] & 127)
		s.masked = head[1]&0x80 != 0
		s.at = 0

		switch s.left {
		case 126:
			var n uint16
			if err := binary.Read(s.in, binary.BigEndian, &n); err != nil {
				return err
			}
			s.left = uint64(n)
		case 127:
			if err := binary.Read(s.in, binary.BigEndian, &s.left); err != nil {
				return err
			}
		}

		if s.masked == s.client {
			return fmt.Errorf("wrong masking")
		}

		if s.masked {
			if _, err := io.ReadFull(s.in, s.mask[:]); err != nil {
				return err
			}
		}

		op := head[0] & 15

		if op < opClose {
			s.fin = head[0]&0x80 != 0
			if op != opContinuation {
				s.op = op
			}
			return nil
		}

		control := make([]byte, s.left)
		if _, err := s.readData(control); err != nil && s.left > 0 {
			return err
		}

		switch op {
		case opPing:
			s.writeFrame(opPong, control)
		case opClose:
			return io.EOF
		}
	}
}

func (s *socket) readData(p []byte) (int, error) {
	total := 0

	for total < len(p) && s.left > 0 {
		q := p[total:]
		if uint64(len(q)) > s.left {
			q = q[:s.left]
		}

		n, err := s.in.Read(q)
		if s.masked {
			for i := range q[:n] {
				q[i] ^= s.mask[(s.at+i)&3]
			}
		}

		s.at += n
		s.left -= uint64(n)
		total += n

		if err != nil {
			return total, err
		}
	}

	return total, nil
}

func (s *socket) Read(p []byte) (int, error) {
	for s.left == 0 {
		if err := s.next(); err != nil {
			return 0, err
		}
	}

	if uint64(len(p)) > s.left {
		p = p[:s.left]
	}

	n, err := s.in.Read(p)
	if s.masked {
		for i := range p[:n] {
			p[i] ^= s.mask[(s.at+i)&3]
		}
	}

	s.at += n
	s.left -= uint64(n)

	return n, err
}

func (s *socket) Write(p []byte) (int, error) {
	if err := s.writeFrame(opBinary, p); err != nil {
		return 0, err
	}

	return len(p), nil
}

// The next event of a monitor.
func (s *socket) event() (string, json.RawMessage, error) {
	var message []byte
	var parts []json.RawMessage
	var name string

	for done := false; !done; done = s.fin {
		if err := s.next(); err != nil {
			return "", nil, err
		}

		data := make([]byte, s.left)
		if _, err := s.readData(data); err != nil {
			return "", nil, err
		}

		message = append(message, data...)
	}

	if err := json.Unmarshal(message, &parts); err != nil || len(parts) == 0 {
		return "", nil, fmt.Errorf("no event: %q", message)
	}

	if err := json.Unmarshal(parts[0], &name); err != nil {
		return "", nil, err
	}

	if len(parts) < 2 {
		return name, nil, nil
	}

	return name, parts[1], nil
}

func (s *socket) send(name string, payload interface{}) {
	text, err := json.Marshal([]interface{}{name, payload})
	if err != nil {
		log.Fatal(err)
	}

	s.writeFrame(opText, text)
}

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func dial(address, path string) *socket {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		log.Fatal(err)
	}

	var random [16]byte
	rand.Read(random[:])
	key := base64.StdEncoding.EncodeToString(random[:])

	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"+
		"Sec-WebSocket-Version: 13\r\n\r\n", path, address, key)

	in := bufio.NewReader(conn)
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		log.Fatal(err)
	}

	if response.StatusCode != 101 ||
		response.Header.Get("Sec-WebSocket-Accept") != acceptKey(key) {
		log.Fatalf("%s: %s", path, response.Status)
	}

	return &socket{Conn: conn, in: in, client: true}
}

func configuration() *yamux.Config {
	config := yamux.DefaultConfig()
	config.AcceptBacklog = 4096
	config.EnableKeepAlive = true
	config.KeepAliveInterval = 200 * time.Millisecond
	config.ConnectionWriteTimeout = 60 * time.Second
	config.LogOutput = os.Stderr

	return config
}

// Bytes that differ from place to place.
func pattern(n int) []byte {
	data := make([]byte, n)
	x := uint32(1)

	for i := range data {
		x = x*1664525 + 1013904223
		data[i] = byte(x >> 24)
	}

	return data
}

func sum(data []byte) string {
	s := sha1.Sum(data)
	return hex.EncodeToString(s[:])
}

// The client's side.

type login struct {
	ClientID    string `json:"clientId"`
	ContainerID string `json:"containerId"`
	OK          bool   `json:"ok"`
	Message     string `json:"message"`
}

func authenticate(monitor *socket, token string) login {
	var reply login

	now := strconv.FormatInt(time.Now().UnixNano()/1e6, 10)
	mac := hmac.New(sha512.New, []byte(token))
	mac.Write([]byte(now))

	monitor.send("authenticate", map[string]interface{}{
		"version": "2.0.0", "type": "tcp", "port": 1,
		"timestamp": json.Number(now), "authType": "token",
		"signature": hex.EncodeToString(mac.Sum(nil)),
		"capabilities": map[string]interface{}{
			"flags": 65536, "version": "2.0.0",
			"features": map[string]interface{}{
				"mux": map[string]interface{}{"version": 1},
			},
		},
	})

	for {
		name, payload, err := monitor.event()
		if err != nil {
			log.Fatal(err)
		}

		if name == "authenticate" {
			json.Unmarshal(payload, &reply)
			break
		}
	}

	if !reply.OK {
		log.Fatal(reply.Message)
	}

	return reply
}

func runClient(address, token string) {
	monitor := dial(address, "/_/monitor")
	reply := authenticate(monitor, token)

	go func() {
		for {
			time.Sleep(time.Second)
			monitor.send("ping", nil)
		}
	}()

	link := dial(address, "/_/data?clientId="+reply.ClientID+"&containerId="+
		reply.ContainerID+"&mux=1")
	session, err := yamux.Client(link, configuration())
	if err != nil {
		log.Fatal(err)
	}

	go func() {
		for {
			name, payload, err := monitor.event()
			if err != nil {
				fmt.Println("monitor ended")
				os.Exit(0)
			}

			if name == "tcp:ready" {
				var ready struct{ Port int }
				json.Unmarshal(payload, &ready)
				fmt.Printf("port %d\n", ready.Port)
			}
		}
	}()

	go func() {
		for i := 0; ; i++ {
			if _, err := session.Ping(); err != nil {
				return
			}
			if i == 20 {
				fmt.Println("pings answered")
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()

	for {
		stream, err := session.AcceptStream()
		if err != nil {
			fmt.Printf("link ended: %v\n", err)
			select {}
		}

		go serve(session, stream)
	}
}

func readProxy(in *bufio.Reader) error {
	var fixed [16]byte

	if _, err := io.ReadFull(in, fixed[:]); err != nil {
		return err
	}

	if !bytes.Equal(fixed[:12], signature) || fixed[12] != 0x21 {
		return fmt.Errorf("no PROXY header: %x", fixed)
	}

	_, err := io.CopyN(io.Discard, in, int64(binary.BigEndian.Uint16(fixed[14:])))
	return err
}

func serve(session *yamux.Session, stream *yamux.Stream) {
	in := bufio.NewReader(stream)

	defer stream.Close()

	if err := readProxy(in); err != nil {
		fmt.Printf("stream: %v\n", err)
		return
	}

	line, err := in.ReadString('\n')
	if err != nil {
		fmt.Printf("stream: %v\n", err)
		return
	}

	words := strings.Fields(line)

	switch words[0] {
	case "echo":
		io.Copy(stream, in)

	case "collect":
		data, err := io.ReadAll(in)
		if err != nil {
			fmt.Printf("stream: %v\n", err)
		}
		fmt.Fprintf(stream, "%d %s\n", len(data), sum(data))

	case "source":
		n, _ := strconv.Atoi(words[1])
		stream.Write(pattern(n))

	case "greet":
		fmt.Fprint(stream, "hello\n")

	case "hold":
		time.Sleep(2 * time.Second)
		data, _ := io.ReadAll(in)
		fmt.Fprintf(stream, "%d %s\n", len(data), sum(data))

	case "wait":
		fmt.Fprint(stream, "waiting\n")
		_, err := io.ReadAll(in)
		fmt.Printf("waited: %v\n", err)

	case "go":
		session.GoAway()
		fmt.Fprint(stream, "gone\n")
	}
}

// The edge's side.

var header = append(append([]byte{}, signature...),
	0x21, 0x11, 0, 12, 192, 0, 2, 1, 192, 0, 2, 2, 4, 210, 0, 80)

var tests, failures int32

func check(ok bool, name string, values ...interface{}) {
	n := atomic.AddInt32(&tests, 1)
	not := ""

	if !ok {
		atomic.AddInt32(&failures, 1)
		not = "not "
	}

	fmt.Printf("%sok %d - %s\n", not, n, name)

	if !ok {
		fmt.Printf("# %v\n", values)
	}
}

func open(session *yamux.Session, command string) *yamux.Stream {
	stream, err := session.OpenStream()
	if err != nil {
		check(false, "open", err)
		os.Exit(1)
	}

	stream.SetDeadline(time.Now().Add(60 * time.Second))
	stream.Write(header)
	fmt.Fprintf(stream, "%s\n", command)

	return stream
}

// Exactly n bytes, then the end of our direction.
func take(stream *yamux.Stream, n int) ([]byte, error) {
	data := make([]byte, n)
	got, err := io.ReadFull(stream, data)
	stream.Close()

	return data[:got], err
}

func runTests(session *yamux.Session) {
	stream := open(session, "echo")
	fmt.Fprint(stream, "hello\n")
	got, err := take(stream, 6)
	check(string(got) == "hello\n", "echo", got, err)

	data := pattern(20 << 20)
	answer := fmt.Sprintf("%d %s\n", len(data), sum(data))

	stream = open(session, fmt.Sprintf("collect %d", len(data)))
	_, err = stream.Write(data)
	check(err == nil, "20 MB to the client", err)
	got, err = take(stream, len(answer))
	check(string(got) == answer, "all of it arrived", string(got), err)

	stream = open(session, "source 20000000")
	got, err = io.ReadAll(stream)
	check(err == nil && len(got) == 20000000, "20 MB from the client",
		len(got), err)
	stream.Close()

	stream = open(session, "echo")
	go stream.Write(data[:8<<20])
	got, err = take(stream, 8<<20)
	check(err == nil && sum(got) == sum(data[:8<<20]), "both ways at once",
		len(got), err)

	stream = open(session, "greet")
	got, err = io.ReadAll(stream)
	check(string(got) == "hello\n" && err == nil, "the service ends first",
		got, err)
	_, err = stream.Write([]byte("late"))
	check(err == nil, "and still gets what follows", err)
	stream.Close()

	stream = open(session, "reset")
	_, err = io.ReadAll(stream)
	check(err == yamux.ErrConnectionReset, "a reset is a reset", err)

	// one stream is not read, another not by the service, the rest go on

	held := open(session, "source 50000000")
	stalled := open(session, "hold")
	stalled.SetDeadline(time.Now().Add(500 * time.Millisecond))
	n, err := stalled.Write(data)
	check(err == yamux.ErrTimeout, "a service that doesn't read stops us", n,
		err)

	stream = open(session, "echo")
	fmt.Fprint(stream, "hello\n")
	got, err = take(stream, 6)
	check(string(got) == "hello\n", "others go on", got, err)

	got, err = io.ReadAll(held)
	check(len(got) == 50000000, "what wasn't read is still there", len(got),
		err)
	held.Close()
	stalled.Close()

	var wg sync.WaitGroup
	var good int32

	for i := 1; i <= 300; i++ {
		wg.Add(1)

		go func(n int) {
			defer wg.Done()

			s := open(session, "echo")
			go s.Write(data[:n])

			if back, err := take(s, n); err == nil && sum(back) == sum(data[:n]) {
				atomic.AddInt32(&good, 1)
			}
		}(i * 300)
	}

	wg.Wait()
	check(good == 300, "300 streams at once", good)

	pings := 0
	for ; pings < 50; pings++ {
		if _, err = session.Ping(); err != nil {
			break
		}
	}
	check(pings == 50, "pings", pings, err)

	for i := 0; i < 100 && session.NumStreams() > 0; i++ {
		time.Sleep(100 * time.Millisecond)
	}
	check(session.NumStreams() == 0, "no stream is left over",
		session.NumStreams())

	check(session.GoAway() == nil, "go away")
	check(session.Close() == nil, "close")
}

func runEdge(address string) {
	upgrade := func(w http.ResponseWriter, r *http.Request) *socket {
		conn, in, err := w.(http.Hijacker).Hijack()
		if err != nil {
			log.Fatal(err)
		}

		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\n"+
			"Upgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Accept: %s\r\n\r\n",
			acceptKey(r.Header.Get("Sec-WebSocket-Key")))

		return &socket{Conn: conn, in: in.Reader}
	}

	id := "11111111-2222-4333-8444-555555555555"

	http.HandleFunc("/_/monitor", func(w http.ResponseWriter, r *http.Request) {
		monitor := upgrade(w, r)
		monitor.send("id", id)

		for {
			name, _, err := monitor.event()
			if err != nil {
				return
			}

			switch name {
			case "ping":
				monitor.send("pong", nil)

			case "authenticate":
				mux := map[string]interface{}{"version": 1, "links": 1,
					"window": 1 << 20}
				monitor.send("authenticate", map[string]interface{}{
					"clientId": "anonymous-12345678", "containerId": id,
					"ok": true, "version": "2.0.0",
					"config": map[string]interface{}{
						"version": "2.0.0",
						"negotiatedCapabilities": map[string]interface{}{
							"flags": 65536, "version": "2.0.0",
							"features": map[string]interface{}{"mux": mux},
						},
					},
				})
				monitor.send("tcp:ready", map[string]interface{}{
					"host": "127.0.0.1", "port": 1})
			}
		}
	})

	var once sync.Once

	http.HandleFunc("/_/data", func(w http.ResponseWriter, r *http.Request) {
		link := upgrade(w, r)

		once.Do(func() {
			session, err := yamux.Server(link, configuration())
			if err != nil {
				log.Fatal(err)
			}

			runTests(session)
			fmt.Printf("done %d %d\n", tests, failures)
		})
	})

	log.Fatal(http.ListenAndServe(address, nil))
}

func main() {
	log.SetFlags(0)

	switch {
	case len(os.Args) == 4 && os.Args[1] == "client":
		runClient(os.Args[2], os.Args[3])

	case len(os.Args) == 3 && os.Args[1] == "edge":
		runEdge(os.Args[2])

	default:
		log.Fatal("usage: yamux_peer client ADDRESS TOKEN | edge ADDRESS")
	}
}
