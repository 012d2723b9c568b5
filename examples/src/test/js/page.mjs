// Runs the script of a page that has a log, a line for who is typing, and a form. Each line of the log is printed; each line
// that comes in is typed, and then submitted.
// node page.mjs FILE URL

import {readFileSync} from 'node:fs';
import {createInterface} from 'node:readline';

const [file, url] = process.argv.slice(2);
const elements = {};
globalThis.location = new URL(url);
globalThis.document = {
  getElementById: id => elements[id] ??= {
    append: line => console.log(line.textContent),
    replaceChildren: () => console.log('(cleared)'),
    set textContent(text) { if (text) console.log(text); },
  },
  createElement: () => ({}),
};
const request = globalThis.fetch;
globalThis.fetch = path => request(new URL(path, url));

new Function(readFileSync(file, 'utf8').match(/<script>(.*)<\/script>/s)[1])();
createInterface({input: process.stdin}).on('line', line => {
  elements.text.value = line;
  elements.text.oninput();
  elements.form.onsubmit({preventDefault() {}});
}).on('close', () => process.exit());
