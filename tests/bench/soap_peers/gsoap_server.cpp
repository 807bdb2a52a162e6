// GetLatestReadingByMeterNo and GetReadingsByDate of MR_Server 3.0 as gSOAP serves them: one thread a connection, answers in chunks.
#include <sys/socket.h>
#include <netinet/in.h>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include "soapMR_USCOREServerSoapService.h"
#include "MR_USCOREServerSoap.nsmap"

class Server : public MR_USCOREServerSoapService {
 public:
  explicit Server(soap_mode mode) : MR_USCOREServerSoapService(mode) {}
  explicit Server(const Server &other) : MR_USCOREServerSoapService(other) {}

  int GetLatestReadingByMeterNo(_ns1__GetLatestReadingByMeterNo *, _ns1__GetLatestReadingByMeterNoResponse &answer) override {
    if (admitted() < 0) return soap_senderfault("UserID and Pwd do not match", nullptr);
    answer.GetLatestReadingByMeterNoResult = reading(1);
    return SOAP_OK;
  }

  int GetReadingsByDate(_ns1__GetReadingsByDate *, _ns1__GetReadingsByDateResponse &answer) override {
    int count = admitted();
    if (count < 0) return soap_senderfault("UserID and Pwd do not match", nullptr);
    answer.GetReadingsByDateResult = soap_new_ns1__ArrayOfMeterRead(this);
    answer.GetReadingsByDateResult->meterRead.reserve(count);
    for (int number = 1; number <= count; number++) answer.GetReadingsByDateResult->meterRead.push_back(reading(number));
    return SOAP_OK;
  }

 private:
  // How many readings the caller takes, which is behind the dash of its UserID; -1 for a stranger. Makes the answer's header.
  int admitted() {
    ns1__MultiSpeakMsgHeader *said = header ? header->ns1__MultiSpeakMsgHeader_ : nullptr;
    if (!said || !said->UserID || !said->Pwd || said->UserID->rfind("cis", 0) != 0 || *said->Pwd != "s3cret-word") return -1;
    size_t dash = said->UserID->find('-');
    int count = dash == std::string::npos ? 0 : atoi(said->UserID->c_str() + dash + 1);
    ns1__MultiSpeakMsgHeader *ours = soap_new_ns1__MultiSpeakMsgHeader(this);
    ours->Version = text("3.0");
    ours->AppName = text("gSOAP");
    ours->Company = text("Demo Cooperative");
    ours->MessageID = text("6513270e-269e-4d37-b2a7-4de452e6b438");
    ours->TimeStamp = instant(time(nullptr));
    header->ns1__MultiSpeakMsgHeader_ = ours;
    return count;
  }

  std::string *text(const std::string &value) {
    std::string *made = soap_new_std__string(this);
    *made = value;
    return made;
  }

  time_t *instant(time_t value) {
    time_t *made = (time_t *)soap_malloc(this, sizeof(time_t));
    *made = value;
    return made;
  }

  ns1__meterRead *reading(int number) {
    const time_t midnight = 1772344800;  // 2026-03-01T06:00:00Z
    char name[32], value[32];
    snprintf(name, sizeof name, "E%08d", number);
    snprintf(value, sizeof value, "%d.%03d", 1000 + number / 1000, number % 1000);
    ns1__readingValue *one = soap_new_ns1__readingValue(this);
    one->units = text("kWh");
    one->value = text(value);
    one->readingType = text("Register");
    one->readingValueType = (_ns1__readingValue_readingValueType *)soap_malloc(this, sizeof *one->readingValueType);
    *one->readingValueType = _ns1__readingValue_readingValueType::Energy;
    one->name = text("energy_delivered");
    one->dateTime = instant(midnight);
    one->fieldName = text("posKWh");
    ns1__meterRead *read = soap_new_ns1__meterRead(this);
    read->objectID = text(std::string(name) + "@2026-03-01T06:00:00Z");
    read->utility = text("demo");
    read->meterNo = text(name);
    read->deviceID = text("S000001");
    read->readingDate = instant(midnight);
    read->posKWh = text(std::to_string(1000 + number / 1000));
    read->readingValues = soap_new_ns1__readingValues(this);
    read->readingValues->readingValue.push_back(one);
    return read;
  }
};

int main() {
  Server server(SOAP_IO_KEEPALIVE | SOAP_IO_CHUNK);
  server.bind_flags = SO_REUSEADDR;
  server.max_keep_alive = 1000000000;
  if (!soap_valid_socket(soap_bind(&server, "127.0.0.1", 0, 500))) return 1;
  sockaddr_in address;
  socklen_t size = sizeof address;
  getsockname(server.master, (sockaddr *)&address, &size);
  printf("http://127.0.0.1:%d/\n", ntohs(address.sin_port));
  fflush(stdout);
  while (soap_valid_socket(soap_accept(&server))) {
    Server *connection = new Server(server);
    std::thread([connection] {
      connection->serve();
      connection->destroy();
      delete connection;
    }).detach();
  }
  return 1;
}
