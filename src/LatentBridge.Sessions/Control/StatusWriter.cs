using System.Text.Json;
using LatentBridge.Fitting;
using LatentBridge.Ipc;
using LatentBridge.Previews;
using LatentBridge.Simd;

namespace LatentBridge.Sessions.Control;

/// <summary>Options and status as JSON.</summary>
static class StatusWriter
{
    public static void Write(Utf8JsonWriter json, PreviewOptions options)
    {
        json.WriteStartObject();
        foreach (PreviewOption option in PreviewOptions.All.Where(option => !option.IsPartOfLatent))
        {
            json.WritePropertyName(option.Name);
            OptionTable.WriteValue(json, option.Of(options));
        }

        json.WriteEndObject();
    }

    public static void Write(Utf8JsonWriter json, CalibratedMap map, bool isUsed)
    {
        json.WriteStartObject();
        ControlWriter.Member(json, "pictures", map.PictureCount);
        json.WritePropertyName("used");
        json.WriteBooleanValue(isUsed);
        json.WritePropertyName("decibels");
        json.WriteStartObject();
        ControlWriter.Real(json, "calibrated", map.Psnr);
        foreach ((string id, double psnr) in map.Measured.OrderByDescending(measured => measured.Value))
        {
            ControlWriter.Real(json, id, psnr);
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    public static void Write(Utf8JsonWriter json, SessionStatus status, string version)
    {
        json.WriteStartObject();
        ControlWriter.Member(json, "protocol", Protocol.Version);
        ControlWriter.Member(json, "host", version);
        ControlWriter.Member(json, "kernel", Kernel.Name);
        ControlWriter.Member(json, "processors", Environment.ProcessorCount);
        ControlWriter.Real(json, "uptimeMilliseconds", status.UptimeMilliseconds);
        ControlWriter.Member(json, "memoryBytes", status.MemoryBytes);
        ControlWriter.Member(json, "allocatedBytes", GC.GetTotalAllocatedBytes());
        ControlWriter.Member(json, "generation", status.Generation);
        json.WritePropertyName("streams");
        json.WriteStartArray();
        foreach (StreamStatus stream in status.Streams)
        {
            Write(json, stream);
        }

        json.WriteEndArray();
        json.WritePropertyName("decoders");
        json.WriteStartArray();
        foreach (DecoderStatus decoder in status.Decoders)
        {
            json.WriteStartObject();
            ControlWriter.Member(json, "id", decoder.Id);
            ControlWriter.Member(json, "format", decoder.Format);
            ControlWriter.Member(json, "source", decoder.Source);
            json.WritePropertyName("loaded");
            json.WriteBooleanValue(decoder.Loaded);
            ControlWriter.Real(json, "milliseconds", decoder.Milliseconds);
            ControlWriter.Member(json, "failure", decoder.Failure);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    static void Write(Utf8JsonWriter json, StreamStatus stream)
    {
        json.WriteStartObject();
        ControlWriter.Member(json, "stream", stream.Stream);
        ControlWriter.Member(json, "run", (long)stream.Run);
        ControlWriter.Member(json, "format", stream.Format);
        json.WritePropertyName("formatGuessed");
        json.WriteBooleanValue(stream.FormatGuessed);
        ControlWriter.Member(json, "decoder", stream.Decoder);
        ControlWriter.Member(json, "source", stream.Source);
        ControlWriter.Member(json, "reason", stream.Reason);
        ControlWriter.Real(json, "stepMilliseconds", stream.StepMilliseconds);
        ControlWriter.Real(json, "decodeMilliseconds", stream.DecodeMilliseconds);
        ControlWriter.Member(json, "submitted", stream.Submitted);
        ControlWriter.Member(json, "shown", stream.Shown);
        ControlWriter.Member(json, "replaced", stream.Replaced);
        ControlWriter.Member(json, "failed", stream.Failed);
        json.WritePropertyName("warnings");
        json.WriteStartArray();
        foreach (string warning in stream.Warnings)
        {
            json.WriteStringValue(warning);
        }

        json.WriteEndArray();
        ControlWriter.Member(json, "alarm", stream.Alarm?.Name());
        json.WriteEndObject();
    }
}
