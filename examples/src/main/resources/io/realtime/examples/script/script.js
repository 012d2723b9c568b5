// One script as it is written: its text, how far it is, and how it ended. Nothing here knows the page.

/** Items of its stream go in; the page shows what is here. */
export class Script {
  constructor(topic) {
    Object.assign(this, {topic, text: '', notice: '', words: 0, first: 0, last: 0, status: 'asked', why: ''});
  }

  /** Whether more may come. */
  get running() { return this.status === 'asked' || this.status === 'writing' || this.status === 'stopping'; }

  /** Takes a piece of the stream; returns the text to append, which is none once it is to stop. */
  take({text = '', notice = ''}) {
    if (this.status === 'stopping') return '';
    this.notice ||= notice;
    if (!text) return '';
    this.status = 'writing';
    // A word that comes in several pieces is one.
    this.words += (text.match(/\S+/g) ?? []).length - (/\S$/.test(this.text) && /^\S/.test(text) ? 1 : 0);
    this.last = Date.now();
    this.first ||= this.last;
    this.text += text;
    return text;
  }

  stop() { if (this.running) this.status = 'stopping'; }

  done() { this.status = this.status === 'stopping' ? 'stopped' : 'done'; }

  fail({code, message}) {
    this.status = code === 'cancelled' ? 'stopped' : 'failed';
    this.why = message;
  }

  /** Words a second from the first to the last, 0 until there are two. */
  get rate() { return this.last > this.first ? (this.words - 1) * 1000 / (this.last - this.first) : 0; }
}
