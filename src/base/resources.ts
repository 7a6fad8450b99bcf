/** What an object has opened: closed in reverse order. */
export class Resources implements Disposable {
  private opened: Disposable[] = []

  /** Adds `resource` and returns it. */
  use<T extends Disposable>(resource: T): T {
    this.opened.push(resource)
    return resource
  }

  /** Closes nothing: whoever has the resources now closes them. */
  release(): void {
    this.opened = []
  }

  [Symbol.dispose](): void {
    const opened = this.opened.reverse()
    this.release()
    for (const resource of opened) resource[Symbol.dispose]()
  }
}
