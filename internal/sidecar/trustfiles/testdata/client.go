// Command client sends a request with default settings.
package main

import (
	"log"
	"net/http"
	"os"
)

func main() {
	response, err := http.Get(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	_ = response.Body.Close()
}
