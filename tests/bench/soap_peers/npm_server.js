// GetLatestReadingByMeterNo and GetReadingsByDate of MR_Server 3.0 as the npm package `soap` serves them, from the standard's WSDL.
"use strict";
const fs = require("fs");
const http = require("http");
const soap = require(require.resolve("soap", { paths: [process.cwd()] }));

const DATE = "2026-03-01T00:00:00-06:00";

function reading(number) {
  const name = "E" + String(number).padStart(8, "0");
  const value = {
    units: "kWh",
    value: (1000 + number / 1000).toFixed(3),
    readingType: "Register",
    readingValueType: "Energy",
    name: "energy_delivered",
    dateTime: DATE,
    fieldName: "posKWh",
  };
  return {
    attributes: { objectID: name + "@2026-03-01T06:00:00Z", utility: "demo" },
    meterNo: name,
    deviceID: "S000001",
    readingDate: DATE,
    posKWh: 1000 + Math.floor(number / 1000),
    readingValues: { readingValue: [value] },
  };
}

// How many readings the caller takes, which is behind the dash of its UserID.
function admitted(headers) {
  const said = headers.MultiSpeakMsgHeader.attributes;
  if (!said.UserID.startsWith("cis") || said.Pwd !== "s3cret-word") {
    throw { Fault: { faultcode: "soap:Client", faultstring: "UserID and Pwd do not match" } };
  }
  return Number(said.UserID.split("-")[1] || 0);
}

const port = {
  GetLatestReadingByMeterNo(args, callback, headers) {
    admitted(headers);
    return { GetLatestReadingByMeterNoResult: reading(1) };
  },
  GetReadingsByDate(args, callback, headers) {
    const count = admitted(headers);
    return { GetReadingsByDateResult: { meterRead: Array.from({ length: count }, (_, i) => reading(i + 1)) } };
  },
};

const server = http.createServer((request, response) => response.end());
server.keepAliveTimeout = 60000;
server.listen(0, "127.0.0.1", () => {
  const wsdl = fs.readFileSync(process.argv[2], "utf8");
  const service = { MR_ServerSoap: port, MR_ServerSoap12: port };
  const callback = () => console.log(`http://127.0.0.1:${server.address().port}/MR_Server`);
  const served = soap.listen(server, { path: "/MR_Server", services: { MR_Server: service }, xml: wsdl, callback });
  const start = '<MultiSpeakMsgHeader xmlns="http://www.multispeak.org/Version_3.0" Version="3.0" AppName="npm soap"';
  served.addSoapHeader(
    () => `${start} Company="Demo Cooperative" MessageID="6513270e" TimeStamp="${new Date().toISOString()}"/>`,
  );
});
