// Go's net/http as its documentation shows it: what vk-bench compares with, on a port that the
// system picks.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
)

var body = []byte("Hello, World!")

func hello(w http.ResponseWriter, _ *http.Request) {
	header := w.Header()
	header.Set("Content-Type", "text/plain")
	header.Set("Content-Length", "13")
	w.Write(body)
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	log.Fatal(http.Serve(listener, http.HandlerFunc(hello)))
}
