using System.Globalization;
using LatentBridge.Host.Output;
using Newtonsoft.Json;

namespace LatentBridge.Host.Bench;

/// <summary>Shows rows as a table or as <c>{"rows":[{"name","unit","ours","p99","peer","peer_name","ratio"}]}</c>.</summary>
static class BenchReport
{
    internal static void Write(Terminal terminal, IReadOnlyList<BenchRow> rows, bool json)
    {
        if (json)
        {
            terminal.WriteJson(writer => WriteJson(writer, rows));
            return;
        }

        TextTable table = new("what", "unit", "ours>", "p99>", "peer>", "ratio>", "peer is");
        foreach (BenchRow row in rows)
        {
            table.Add(row.Name, row.Unit, Show(row.Ours), Show(row.P99), Show(row.Peer), row.Ratio is { } ratio ? Show(ratio) + "x" : "", row.PeerName ?? "");
        }

        terminal.Write(table);
    }

    static void WriteJson(JsonTextWriter json, IReadOnlyList<BenchRow> rows)
    {
        json.WriteStartObject();
        json.WritePropertyName("rows");
        json.WriteStartArray();
        foreach (BenchRow row in rows)
        {
            json.WriteStartObject();
            json.WritePropertyName("name");
            json.WriteValue(row.Name);
            json.WritePropertyName("unit");
            json.WriteValue(row.Unit);
            json.WritePropertyName("ours");
            json.WriteValue(Math.Round(row.Ours, 4));
            WriteNumber(json, "p99", row.P99);
            WriteNumber(json, "peer", row.Peer);
            json.WritePropertyName("peer_name");
            json.WriteValue(row.PeerName);
            WriteNumber(json, "ratio", row.Ratio);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    static void WriteNumber(JsonTextWriter json, string name, double? value)
    {
        json.WritePropertyName(name);
        json.WriteValue(value is { } number ? Math.Round(number, 4) : null);
    }

    static string Show(double? value) => value switch
    {
        null => "",
        >= 100 => value.Value.ToString("0", CultureInfo.InvariantCulture),
        >= 1 => value.Value.ToString("0.00", CultureInfo.InvariantCulture),
        _ => value.Value.ToString("0.0000", CultureInfo.InvariantCulture),
    };
}
