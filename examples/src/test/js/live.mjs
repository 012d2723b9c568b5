// The page's session against a server: prints each item of one stream as a line of JSON, and then how it ended.
// node live.mjs URL TOKEN TOPIC [ITEMS: stop after so many]

import {load} from './browser.mjs';

const [url, token, topic, most] = process.argv.slice(2);
const {Session} = await load('session.js');
const print = value => console.log(JSON.stringify(value));
const finish = end => { print({end}); process.exit(); };

const session = new Session(() => ({url, token}), () => {});
let items = 0;
const item = piece => { print(piece); if (++items === Number(most)) stop(); };
const stop = session.stream('script.generate', {topic}, {item, end: () => finish('end'), error: ({code}) => finish(code)});
session.connect();
