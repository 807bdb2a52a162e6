// gSOAP's generated proxy of one server as an integrator's client. The first line of standard input is the endpoint and the header, every
// other one an operation, whether to go on until nothing remains, and the request; fields are parted by tabs, messages are XML that gSOAP
// reads into its own classes and, of answers, writes from them again. Each answer is a line of JSON.
#include PROXY_HEADER
#include PROXY_NAMESPACES

#include <iostream>
#include <sstream>
#include <string>

static std::string json(const std::string &text) {
  std::ostringstream said;
  said << '"';
  for (unsigned char c : text) {
    if (c == '"' || c == '\\') said << '\\' << c;
    else if (c < 0x20) said << "\\u00" << "0123456789abcdef"[c >> 4] << "0123456789abcdef"[c & 15];
    else said << c;
  }
  said << '"';
  return said.str();
}

template <class T> static bool read(struct soap *text, const std::string &xml, T &value, int (*reader)(struct soap *, T *)) {
  std::istringstream in(xml);
  text->is = &in;
  const int status = reader(text, &value);
  text->is = nullptr;
  if (status != SOAP_OK) soap_stream_fault(text, std::cerr);
  return status == SOAP_OK;
}

template <class T> static std::string written(struct soap *text, const T &value, int (*writer)(struct soap *, T const *)) {
  std::ostringstream out;
  text->os = &out;
  writer(text, &value);
  text->os = nullptr;
  return out.str();
}

// Only list operations have a lastReceived.
template <class Request> static auto go_on_from(Request &request, std::string *last, int) -> decltype(request.lastReceived, void()) {
  request.lastReceived = last;
}
template <class Request> static void go_on_from(Request &, std::string *, long) {}

static std::string fault(struct soap *soap) {
  if (soap->fault == nullptr) soap_set_fault(soap);
  const char *code = *soap_faultcode(soap), *subcode = soap_fault_subcode(soap), *reason = soap_fault_string(soap);
  const std::string whole = std::string(code ? code : "") + (subcode ? std::string(".") + subcode : "");
  return "{\"fault\": {\"code\": " + json(whole) + ", \"text\": " + json(reason ? reason : "") + "}}";
}

template <class Request, class Response, class Call>
static std::string pages(Proxy &proxy, struct soap *text, ns1__MultiSpeakMsgHeader &header, bool paged, const std::string &xml,
                         int (*reader)(struct soap *, Request *), int (*writer)(struct soap *, Response const *), Call call) {
  Request request;
  if (!read(text, xml, request, reader)) return fault(text);
  std::string said;
  for (;;) {
    Response response;
    proxy.soap_header(&header);
    if (call(proxy, request, response) != SOAP_OK) return fault(proxy.soap);
    ns1__MultiSpeakMsgHeader *answered = proxy.soap_header() ? proxy.soap_header()->ns1__MultiSpeakMsgHeader_ : nullptr;
    said += said.empty() ? "{\"pages\": [" : ", ";
    said += "{\"header\": " + json(answered ? written(text, *answered, soap_write_ns1__MultiSpeakMsgHeader) : "");
    said += ", \"result\": " + json(written(text, response, writer)) + "}";
    if (!paged || !answered || !answered->ObjectsRemaining || *answered->ObjectsRemaining == "0") return said + "]}";
    go_on_from(request, answered->LastSent, 0);
  }
}

#define OPERATION(name)                                                                                                       \
  if (operation == #name)                                                                                                     \
    return pages<_ns1__##name, _ns1__##name##Response>(                                                                       \
        proxy, text, header, paged, xml, soap_read__ns1__##name, soap_write__ns1__##name##Response,                           \
        [](Proxy &asked, _ns1__##name &request, _ns1__##name##Response &response) { return asked.name(&request, response); });

static std::string answer(Proxy &proxy, struct soap *text, ns1__MultiSpeakMsgHeader &header, const std::string &operation, bool paged,
                          const std::string &xml) {
  OPERATIONS
  return "{\"fault\": {\"code\": \"\", \"text\": " + json("no " + operation + " was generated") + "}}";
}

int main() {
  std::string endpoint, header_xml, operation, paged, xml;
  std::getline(std::cin, endpoint, '\t');
  std::getline(std::cin, header_xml);
  Proxy proxy(endpoint.c_str(), SOAP_C_UTFSTRING | SOAP_IO_KEEPALIVE);
  proxy.soap_endpoint = endpoint.c_str();
  struct soap *text = soap_new1(SOAP_C_UTFSTRING | SOAP_XML_TREE);
  soap_set_namespaces(text, namespaces);
  ns1__MultiSpeakMsgHeader header;
  if (!read(text, header_xml, header, soap_read_ns1__MultiSpeakMsgHeader)) return 1;
  while (std::getline(std::cin, operation, '\t') && std::getline(std::cin, paged, '\t') && std::getline(std::cin, xml))
    std::cout << answer(proxy, text, header, operation, paged == "true", xml) << std::endl;
  return 0;
}
