<?php
// PHP's SoapClient as an integrator's client: a plan of calls from standard input, their answers to standard output, both JSON (see plan.py).
declare(strict_types=1);

$plan = json_decode(stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR);

// An argument in this stack's terms: attributes among the elements, text as `_`; `{"from": n}` is what call n answered.
function filled(mixed $value, array $answers): mixed
{
    if (!is_array($value)) {
        return $value;
    }
    if (array_is_list($value) && $value !== []) {
        return array_map(fn ($item) => filled($item, $answers), $value);
    }
    if (isset($value['from'])) {
        return $answers[$value['from']]['pages'][0]['result'];
    }
    $made = [];
    foreach ($value as $name => $inner) {
        $made[ltrim($name, '@')] = filled($inner, $answers);
    }
    return $made;
}

// Every page of an answer, going on from LastSent while anything remains.
function pages(SoapClient $client, array $call, array $arguments, SoapHeader $header): array
{
    $found = [];
    while (true) {
        $headers = [];
        $body = $client->__soapCall($call['operation'], [$arguments], null, [$header], $headers);
        $said = (array) $headers['MultiSpeakMsgHeader'];
        $found[] = ['header' => $said, 'result' => $body->{$call['operation'] . 'Result'} ?? null];
        if (!$call['paged'] || !(($said['ObjectsRemaining'] ?? 0) > 0)) {
            return $found;
        }
        $arguments['lastReceived'] = $said['LastSent'];
    }
}

$clients = [];
foreach ($plan['wsdls'] as $server => $wsdl) {
    $clients[$server] = new SoapClient($wsdl, [
        'location' => $plan['addresses'][$server],
        'soap_version' => $plan['soap'] === '1.2' ? SOAP_1_2 : SOAP_1_1,
        'cache_wsdl' => WSDL_CACHE_NONE,
        'exceptions' => true,
        'keep_alive' => true,
    ]);
}
$header = new SoapHeader($plan['namespace'], 'MultiSpeakMsgHeader', $plan['header']);
$answers = [];
foreach ($plan['calls'] as $call) {
    try {
        $arguments = filled($call['arguments'], $answers);
        $answers[] = ['pages' => pages($clients[$call['server']], $call, $arguments, $header)];
    } catch (SoapFault $fault) {
        $answers[] = ['fault' => ['code' => $fault->faultcode, 'text' => $fault->getMessage()]];
    }
}
echo json_encode($answers, JSON_THROW_ON_ERROR);
