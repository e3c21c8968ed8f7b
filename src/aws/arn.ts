/** Amazon resource names, as far as Roles Anywhere needs them. */

export interface Arn {
  /** `aws`, `aws-cn`, `aws-us-gov`. */
  readonly partition: string;
  readonly service: string;
  /** Empty for what no region has, such as roles. */
  readonly region: string;
  readonly account: string;
  readonly resource: string;
}

const FORM = /^arn:(aws[a-z-]*):([a-z0-9-]+):([a-z0-9-]*):(\d{12}):([\x21-\x7e]+)$/;

/** @returns undefined for anything else */
export function parseArn(text: string): Arn | undefined {
  const [, partition = '', service = '', region = '', account = '', resource = ''] = FORM.exec(text) ?? [];
  return resource === '' ? undefined : { partition, service, region, account, resource };
}

/** What a partition's host names end in. */
export function domainOf(partition: string): string {
  switch (partition) {
    case 'aws-cn':
      return 'amazonaws.com.cn';
    case 'aws-eusc':
      return 'amazonaws.eu';
    default:
      return 'amazonaws.com';
  }
}
