// The npm package `soap` as an integrator's client: a plan of calls from standard input, their answers to standard output, both JSON (see plan.py).
'use strict';
const fs = require('fs');
const path = require('path');
const soap = require(path.join(process.argv[2], 'node_modules', 'soap'));

const plan = JSON.parse(fs.readFileSync(0, 'utf8'));

// An argument in this stack's terms: attributes apart, text as `$value`; `{from: n}` is what call n answered.
function filled(value, answers) {
  if (Array.isArray(value)) return value.map((item) => filled(item, answers));
  if (value === null || typeof value !== 'object') return value;
  if ('from' in value) return answers[value.from].pages[0].result;
  const made = {};
  for (const [name, inner] of Object.entries(value)) {
    if (name === '_') made.$value = inner;
    else if (name.startsWith('@')) (made.attributes = made.attributes || {})[name.slice(1)] = inner;
    else made[name] = filled(inner, answers);
  }
  return made;
}

// An answer as elements and attributes by name and text as `_`.
function neutral(value) {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(neutral);
  if (value === null || typeof value !== 'object') return value;
  const said = {};
  for (const [name, inner] of Object.entries(value)) {
    if (name === 'attributes') Object.assign(said, neutral(inner));
    else said[name === '$value' ? '_' : name] = neutral(inner);
  }
  for (const name of Object.keys(said)) if (name.startsWith('xsi:') || name.startsWith('xmlns')) delete said[name];
  return said;
}

// Every page of an answer, going on from LastSent while anything remains.
async function pages(client, call, args) {
  const found = [];
  for (;;) {
    const [body, , header] = await client[call.operation + 'Async'](args);
    const said = neutral(header.MultiSpeakMsgHeader);
    found.push({ header: said, result: neutral(body ? body[call.operation + 'Result'] : undefined) });
    if (!call.paged || !(Number(said.ObjectsRemaining) > 0)) return found;
    args = { ...args, lastReceived: said.LastSent };
  }
}

async function main() {
  const clients = {};
  for (const [server, wsdl] of Object.entries(plan.wsdls)) {
    const options = { forceSoap12Headers: plan.soap === '1.2', endpoint: plan.addresses[server] };
    clients[server] = await soap.createClientAsync(wsdl, options);
    clients[server].addSoapHeader({ MultiSpeakMsgHeader: { attributes: plan.header } }, '', 'tns', plan.namespace);
  }
  const answers = [];
  for (const call of plan.calls) {
    try {
      answers.push({ pages: await pages(clients[call.server], call, filled(call.arguments, answers)) });
    } catch (error) {
      const fault = error.root && error.root.Envelope.Body.Fault;
      if (!fault) throw error;
      answers.push({ fault: soap12(fault) || { code: fault.faultcode, text: fault.faultstring } });
    }
  }
  fs.writeSync(1, JSON.stringify(answers));
}


function soap12(fault) {
  if (!fault.Code) return null;
  const subcode = fault.Code.Subcode ? '.' + text(fault.Code.Subcode.Value) : '';
  return { code: text(fault.Code.Value) + subcode, text: text(fault.Reason.Text) };
}

function text(value) {
  return typeof value === 'object' ? value.$value : value;
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
