/*
 * A reverse proxy that serves a Fanlight below a prefix, as nginx would; what it is told to answer
 * itself, it does.
 */
import { once } from 'node:events';
import http from 'node:http';

export class Proxy {
  #prefix;
  #port;
  #server;
  #answers = new Map();

  constructor(prefix) {
    this.#prefix = prefix;
  }

  async open(port) {
    this.#port = port;
    this.#server = http.createServer((request, response) => this.#pass(request, response));
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
  }

  url() {
    return `http://127.0.0.1:${this.#server.address().port}${this.#prefix}`;
  }

  /* answer(method, body) gives the status and the JSON for requests of a path below the prefix. */
  answerItself(path, answer) {
    this.#answers.set(path, answer);
  }

  close() {
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  async #pass(request, response) {
    const path = request.url.slice(this.#prefix.length);

    if (!request.url.startsWith(this.#prefix)) {
      response.writeHead(404).end();
    } else if (this.#answers.has(path)) {
      const body = Buffer.concat(await request.toArray()).toString();
      const [status, answer] = this.#answers.get(path)(request.method, body && JSON.parse(body));

      response.writeHead(status, { 'Content-Type': 'application/json' })
        .end(JSON.stringify(answer));
    } else {
      this.#forward(request, response, `/${path}`);
    }
  }

  #forward(request, response, path) {
    const upstream = http.request({ host: '127.0.0.1', port: this.#port, path,
      method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });

    upstream.on('error', () => response.destroy());
    response.on('close', () => upstream.destroy());
    request.pipe(upstream);
  }
}
